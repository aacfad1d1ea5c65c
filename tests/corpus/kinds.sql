-- as superuser
-- Kinds that few applications have: one of each, with owners, comments and grants.
CREATE COLLATION public.cc (lc_collate = 'C', lc_ctype = 'POSIX');
CREATE SCHEMA k; SET search_path = k;
create aggregate my_sum(int) (sfunc=int4pl, stype=int, initcond='0', combinefunc=int4pl, parallel=safe); create aggregate cnt(*) (sfunc=int8inc, stype=int8, initcond='0'); comment on aggregate cnt(*) is 'star'; revoke execute on function cnt() from public;
create aggregate pct(float8 order by anyelement) (sfunc=ordered_set_transition, stype=internal, finalfunc=percentile_disc_final, finalfunc_extra);
create aggregate msum(int) (sfunc=int4pl, stype=int, msfunc=int4pl, minvfunc=int4mi, mstype=int, sortop= operator(pg_catalog.<));
create type r as range (subtype=int4, multirange_type_name=rmulti); create type tr as range (subtype=text, collation="C");
create type crange; create function ccan(crange) returns crange language internal immutable strict as 'int4range_canonical'; create type crange as range (subtype=int4, canonical=ccan);
create type bt; create function btin(cstring) returns bt language internal immutable strict as 'int4in'; create function btout(bt) returns cstring language internal immutable strict as 'int4out'; create type bt (input=btin, output=btout, like=int4, category='X', default='5'); comment on type bt is 'base';
create type sh; 
create function eqf(int,int) returns bool language sql immutable as 'select $1=$2';
create operator === (leftarg=int, rightarg=int, function=eqf, commutator= ===, negator= !==, restrict=eqsel, join=eqjoinsel, merges, hashes); comment on operator === (int,int) is 'op'; create operator !! (rightarg=int, function=int4um);
create operator family of using btree; alter operator family of using btree add function 1 (int8,int4) btint84cmp(int8,int4), operator 1 <(int8,int4);
create operator class oc for type int4 using btree family of as operator 1 <, operator 3 ===, function 1 btint4cmp(int4,int4), storage int4; create operator class ocd default for type bt using hash as storage bt;
create cast (int as bt) with inout as assignment; create cast (bt as int) without function as implicit;
create function t2(text) returns int language sql immutable as 'select 1'; create cast (r as text) with inout;
create foreign data wrapper w options (a 'b', "C d" 'e''f'); create server s type 't' version 'v' foreign data wrapper w options (host 'x'); grant usage on foreign server s to reader; grant usage on foreign data wrapper w to reader with grant option;
create foreign table ft (a int options (x 'y') not null default 4, b text collate "C", check (a>0)) server s options (t 'u'); create user mapping for public server s; create user mapping for reader server s options (password 'se''cret'); comment on foreign table ft is 'ft'; comment on server s is 'srv';
create text search configuration c (copy=english); alter text search configuration c alter mapping for word with simple, english_stem; create text search dictionary d (template=simple, stopwords='english', accept=false); create text search template tt (init=dsimple_init, lexize=dsimple_lexize); create text search parser pp (start=prsd_start, gettoken=prsd_nexttoken, end=prsd_end, lextypes=prsd_lextype, headline=prsd_headline); create text search configuration c2 (parser=pp);
create table t(a int primary key, b int, c text); create statistics st (dependencies, mcv) on a,b from t; alter statistics st set statistics 55; create statistics st2 on (a+b), c from t;
create function trgf() returns event_trigger language plpgsql as 'begin end'; create event trigger et on ddl_command_end when tag in ('CREATE TABLE','DROP TABLE') execute function trgf(); alter event trigger et disable; comment on event trigger et is 'ev';
create publication p1 for table t with (publish='insert,delete'); create publication p2 for all tables; create publication p4; comment on publication p4 is 'p';
create conversion cv for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1; create language plx handler plpgsql_call_handler inline plpgsql_inline_handler validator plpgsql_validator; comment on language plx is 'l'; grant usage on language plpgsql to reader; revoke usage on language plpgsql from public;
create access method am type index handler bthandler; create function trf(internal) returns internal language internal as 'int4recv'; 
create table uses (a r, b bt, c rmulti, d text, e tr); create index usei on uses using gist (a); insert into uses values ('[1,3)', '7', '{[1,2)}', 'x', '[a,b]');
create table spr (x int) partition by range (x); create foreign table spf partition of spr for values from (1) to (5) server s;
