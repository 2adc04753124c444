-- What becomes of two 3202 upload files, stated in SQL from the semantics alone. Variables: ours, theirs (paths).

-- Absent is an empty cell or the word null; everything else is text as it stands.
CREATE MACRO cell(text) AS nullif(nullif(text, ''), 'null');
-- 000 and 001 are how the newest edition writes 0 and 1.
CREATE MACRO canonical(flag) AS CASE cell(flag) WHEN '000' THEN '0' WHEN '001' THEN '1' ELSE cell(flag) END;
CREATE MACRO ledger(path) AS TABLE
    SELECT *
    FROM read_csv(path, delim = '\t', quote = '', escape = '', header = false, auto_detect = false, columns = {
        'setl_id': 'VARCHAR', 'mdtrt_id': 'VARCHAR', 'psn_no': 'VARCHAR', 'medfee_sumamt': 'VARCHAR',
        'fund_pay_sumamt': 'VARCHAR', 'acct_pay': 'VARCHAR', 'refd_setl_flag': 'VARCHAR'});

CREATE TABLE records AS
    SELECT
        side,
        cell(setl_id) AS setl_id,
        cell(medfee_sumamt)::DECIMAL(38, 2) AS medfee_sumamt,
        cell(fund_pay_sumamt)::DECIMAL(38, 2) AS fund_pay_sumamt,
        cell(acct_pay)::DECIMAL(38, 2) AS acct_pay,
        canonical(refd_setl_flag) AS refd_setl_flag,
        cell(mdtrt_id) IS NULL AS no_visit,
        cell(psn_no) IS NULL AS no_person
    FROM (
        SELECT 'ours' AS side, * FROM ledger(getvariable('ours'))
        UNION ALL
        SELECT 'theirs' AS side, * FROM ledger(getvariable('theirs'))
    );

CREATE VIEW complete AS SELECT * FROM records WHERE setl_id IS NOT NULL;

-- Keys whose multisets of (amounts, status) are not the same on both sides.
CREATE TABLE unequal AS
    WITH
    ours AS (
        SELECT setl_id, medfee_sumamt, fund_pay_sumamt, acct_pay, refd_setl_flag FROM complete WHERE side = 'ours'
    ),
    theirs AS (
        SELECT setl_id, medfee_sumamt, fund_pay_sumamt, acct_pay, refd_setl_flag FROM complete WHERE side = 'theirs'
    )
    SELECT DISTINCT setl_id
    FROM ((FROM ours EXCEPT ALL FROM theirs) UNION ALL (FROM theirs EXCEPT ALL FROM ours));

-- One row per key; a record without a key is a row of its own.
CREATE TABLE keys AS
    WITH counted AS (
        SELECT
            setl_id,
            count(*) FILTER (side = 'ours') AS records_ours,
            count(*) FILTER (side = 'theirs') AS records_theirs,
            sum(medfee_sumamt) FILTER (side = 'ours') AS medfee_sumamt_ours,
            sum(medfee_sumamt) FILTER (side = 'theirs') AS medfee_sumamt_theirs,
            sum(fund_pay_sumamt) FILTER (side = 'ours') AS fund_pay_sumamt_ours,
            sum(fund_pay_sumamt) FILTER (side = 'theirs') AS fund_pay_sumamt_theirs,
            sum(acct_pay) FILTER (side = 'ours') AS acct_pay_ours,
            sum(acct_pay) FILTER (side = 'theirs') AS acct_pay_theirs,
            string_agg(DISTINCT refd_setl_flag, ';' ORDER BY refd_setl_flag) FILTER (side = 'ours')
                AS refd_setl_flag_ours,
            string_agg(DISTINCT refd_setl_flag, ';' ORDER BY refd_setl_flag) FILTER (side = 'theirs')
                AS refd_setl_flag_theirs
        FROM (
            SELECT *, NULL AS alone FROM complete
            UNION ALL
            SELECT *, row_number() OVER () AS alone FROM records WHERE setl_id IS NULL
        )
        GROUP BY setl_id, alone
    )
    SELECT
        CASE
            WHEN records_theirs = 0 THEN 'only_ours'
            WHEN records_ours = 0 THEN 'only_theirs'
            WHEN records_ours > 1 OR records_theirs > 1
                THEN CASE WHEN setl_id IN (FROM unequal) THEN 'duplicate' ELSE 'matched' END
            WHEN medfee_sumamt_ours IS DISTINCT FROM medfee_sumamt_theirs
                OR fund_pay_sumamt_ours IS DISTINCT FROM fund_pay_sumamt_theirs
                OR acct_pay_ours IS DISTINCT FROM acct_pay_theirs THEN 'amount_differs'
            WHEN refd_setl_flag_ours IS DISTINCT FROM refd_setl_flag_theirs THEN 'status_differs'
            ELSE 'matched'
        END AS class,
        *
    FROM counted;

-- differences.csv, apart from the advice.
CREATE VIEW differences AS
    SELECT
        class, NULL::BIGINT AS tier, setl_id, records_ours, records_theirs,
        medfee_sumamt_ours, medfee_sumamt_theirs,
        coalesce(medfee_sumamt_ours, 0) - coalesce(medfee_sumamt_theirs, 0) AS medfee_sumamt_difference,
        fund_pay_sumamt_ours, fund_pay_sumamt_theirs,
        coalesce(fund_pay_sumamt_ours, 0) - coalesce(fund_pay_sumamt_theirs, 0) AS fund_pay_sumamt_difference,
        acct_pay_ours, acct_pay_theirs,
        coalesce(acct_pay_ours, 0) - coalesce(acct_pay_theirs, 0) AS acct_pay_difference,
        refd_setl_flag_ours, refd_setl_flag_theirs
    FROM keys
    WHERE class <> 'matched';

-- Counts and sums of a set of records or keys, side by side.
CREATE VIEW sides AS
    SELECT
        side, count(*) AS records,
        count(DISTINCT setl_id) + count(*) FILTER (setl_id IS NULL) AS keys,
        coalesce(sum(medfee_sumamt), 0) AS medfee_sumamt,
        coalesce(sum(fund_pay_sumamt), 0) AS fund_pay_sumamt,
        coalesce(sum(acct_pay), 0) AS acct_pay
    FROM records
    GROUP BY side;

CREATE VIEW groups AS
    SELECT
        refd_setl_flag,
        count(*) FILTER (side = 'ours') AS records_ours,
        count(*) FILTER (side = 'theirs') AS records_theirs,
        coalesce(sum(medfee_sumamt) FILTER (side = 'ours'), 0) AS medfee_sumamt_ours,
        coalesce(sum(medfee_sumamt) FILTER (side = 'theirs'), 0) AS medfee_sumamt_theirs,
        coalesce(sum(fund_pay_sumamt) FILTER (side = 'ours'), 0) AS fund_pay_sumamt_ours,
        coalesce(sum(fund_pay_sumamt) FILTER (side = 'theirs'), 0) AS fund_pay_sumamt_theirs,
        coalesce(sum(acct_pay) FILTER (side = 'ours'), 0) AS acct_pay_ours,
        coalesce(sum(acct_pay) FILTER (side = 'theirs'), 0) AS acct_pay_theirs
    FROM records
    GROUP BY refd_setl_flag;

CREATE VIEW classes AS
    SELECT
        class, count(*) AS keys,
        count(*) FILTER (class = 'matched' AND records_ours > 1) AS repeated,
        sum(records_ours) AS records_ours,
        sum(records_theirs) AS records_theirs,
        coalesce(sum(medfee_sumamt_ours), 0) AS medfee_sumamt_ours,
        coalesce(sum(medfee_sumamt_theirs), 0) AS medfee_sumamt_theirs,
        coalesce(sum(fund_pay_sumamt_ours), 0) AS fund_pay_sumamt_ours,
        coalesce(sum(fund_pay_sumamt_theirs), 0) AS fund_pay_sumamt_theirs,
        coalesce(sum(acct_pay_ours), 0) AS acct_pay_ours,
        coalesce(sum(acct_pay_theirs), 0) AS acct_pay_theirs
    FROM keys
    GROUP BY class;

-- Σ ours − Σ theirs over the records, and over the classes.
CREATE VIEW bridge AS
    SELECT amount, ours, theirs, ours - theirs AS difference, explained
    FROM (
        SELECT
            'medfee_sumamt' AS amount,
            (SELECT medfee_sumamt FROM sides WHERE side = 'ours') AS ours,
            (SELECT medfee_sumamt FROM sides WHERE side = 'theirs') AS theirs,
            (SELECT sum(medfee_sumamt_ours - medfee_sumamt_theirs) FROM classes) AS explained
        UNION ALL
        SELECT
            'fund_pay_sumamt' AS amount,
            (SELECT fund_pay_sumamt FROM sides WHERE side = 'ours') AS ours,
            (SELECT fund_pay_sumamt FROM sides WHERE side = 'theirs') AS theirs,
            (SELECT sum(fund_pay_sumamt_ours - fund_pay_sumamt_theirs) FROM classes) AS explained
        UNION ALL
        SELECT
            'acct_pay' AS amount,
            (SELECT acct_pay FROM sides WHERE side = 'ours') AS ours,
            (SELECT acct_pay FROM sides WHERE side = 'theirs') AS theirs,
            (SELECT sum(acct_pay_ours - acct_pay_theirs) FROM classes) AS explained
    );

-- What is found of single cells: L101 where a value is missing, L104 where a code is not in its list.
CREATE VIEW findings AS
    FROM (
        SELECT side, 'L101' AS code, 'acct_pay' AS field, count(*) FILTER (acct_pay IS NULL) AS count
        FROM records GROUP BY side
        UNION ALL
        SELECT side, 'L101', 'fund_pay_sumamt', count(*) FILTER (fund_pay_sumamt IS NULL) FROM records GROUP BY side
        UNION ALL
        SELECT side, 'L101', 'mdtrt_id', count(*) FILTER (no_visit) FROM records GROUP BY side
        UNION ALL
        SELECT side, 'L101', 'medfee_sumamt', count(*) FILTER (medfee_sumamt IS NULL) FROM records GROUP BY side
        UNION ALL
        SELECT side, 'L101', 'psn_no', count(*) FILTER (no_person) FROM records GROUP BY side
        UNION ALL
        SELECT side, 'L101', 'refd_setl_flag', count(*) FILTER (refd_setl_flag IS NULL) FROM records GROUP BY side
        UNION ALL
        SELECT side, 'L101', 'setl_id', count(*) FILTER (setl_id IS NULL) FROM records GROUP BY side
        UNION ALL
        SELECT side, 'L104', 'refd_setl_flag', count(*) FILTER (refd_setl_flag NOT IN ('0', '1'))
        FROM records GROUP BY side
        UNION ALL
        SELECT side, 'B101', NULL, sum(records)::BIGINT
        FROM (SELECT side, setl_id, count(*) AS records FROM records WHERE setl_id IS NOT NULL GROUP BY ALL)
        WHERE records > 1 GROUP BY side
    )
    WHERE count > 0;
