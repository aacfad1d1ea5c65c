-- since 17
-- NOT NULL of domains is a named constraint from 17 on.
CREATE DOMAIN by_default AS int NOT NULL;
CREATE DOMAIN named AS int CONSTRAINT must_be NOT NULL CHECK (VALUE > 0);
CREATE DOMAIN "Quoted" AS text CONSTRAINT "Must Be" NOT NULL;
COMMENT ON CONSTRAINT must_be ON DOMAIN named IS 'it must';
CREATE TABLE t(a by_default, b named, c "Quoted");
INSERT INTO t VALUES (1, 2, 'x');
