-- Single changes of tests/corpus/inheritance_storage.sql; `diff` must report each.
-- change: a child's storage becomes its parent's
ALTER TABLE own ALTER a SET STORAGE EXTERNAL;
-- change: a child's compression becomes its parent's
ALTER TABLE of_both ALTER c SET COMPRESSION pglz;
-- change: a child's storage becomes the type's
ALTER TABLE as_is ALTER a SET STORAGE EXTENDED;
