-- Procedures: OUT arguments, overloading by them, transactions inside, grants that name them.
CREATE PROCEDURE run(a int, OUT b text) LANGUAGE plpgsql AS $$BEGIN b := a::text; END$$;
CREATE PROCEDURE run(a text) LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE atomic(INOUT a int DEFAULT 3) LANGUAGE sql BEGIN ATOMIC SELECT a + 1; END;
CREATE PROCEDURE "Odd Name"(VARIADIC "the rest" int[]) LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS 'BEGIN COMMIT; END';
COMMENT ON PROCEDURE run(int) IS 'runs';
GRANT EXECUTE ON PROCEDURE run(text) TO reader;
REVOKE EXECUTE ON PROCEDURE run(int) FROM PUBLIC;
