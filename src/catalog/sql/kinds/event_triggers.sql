-- Event triggers; created last, because they fire on our own DDL.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT e.oid, NULL AS schema, e.evtname AS name,
       format('EVENT TRIGGER %I', e.evtname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s();', e.evtname, e.evtevent,
              coalesce((SELECT format(' WHEN TAG IN (%s)', string_agg(quote_literal(t.tag), ', ' ORDER BY t.place)) FROM unnest(e.evttags) WITH ORDINALITY t(tag, place) HAVING count(*) > 0), ''),
              e.evtfoid::regproc)
         || CASE e.evtenabled WHEN 'D' THEN format(E'\nALTER EVENT TRIGGER %I DISABLE;', e.evtname)
                              WHEN 'R' THEN format(E'\nALTER EVENT TRIGGER %I ENABLE REPLICA;', e.evtname)
                              WHEN 'A' THEN format(E'\nALTER EVENT TRIGGER %I ENABLE ALWAYS;', e.evtname) ELSE '' END AS create_text
FROM pg_catalog.pg_event_trigger e
LEFT JOIN pg_catalog.pg_roles r ON r.oid = e.evtowner
ORDER BY e.evtname;
