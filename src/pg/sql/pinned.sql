-- The values now in force of the settings that pin.sql sets and that change how values and
-- definitions are printed; kept in the manifest.
SELECT known.name, known.setting
  FROM pg_catalog.pg_settings AS known
 WHERE pg_catalog.lower(known.name) IN (
         'search_path', 'client_encoding', 'datestyle', 'intervalstyle', 'timezone', 'lc_monetary',
         'extra_float_digits', 'bytea_output', 'xmloption', 'array_nulls',
         'standard_conforming_strings', 'quote_all_identifiers', 'synchronize_seqscans',
         'row_security')
 ORDER BY known.name;
