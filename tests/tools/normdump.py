#!/usr/bin/env python3
"""Brings a plain pg_dump into a form in which dumps of logically equal databases are equal texts.

    pg_dump ... | normdump.py

What differs without meaning is removed: the version lines, the \\restrict keys, the order of rows in
a table, the order of columns in a COPY statement and of column lines in tables that inherit.
Everything else stays, so that a difference in the result is a difference between the databases.
"""
import re
import sys

NOISE = ("\\restrict ", "\\unrestrict ", "-- Dumped from database version", "-- Dumped by pg_dump version")
COPY = re.compile(r"^COPY (?P<table>.+?)(?: \((?P<columns>.*)\))? FROM stdin;$")
NAME = re.compile(r'"(?:[^"]|"")*"|[^\s,()"]+')


def copy_block(match, lines):
    """The statement with its columns by name and its rows sorted; consumes up to the end mark."""
    columns = NAME.findall(match["columns"] or "")
    order = sorted(range(len(columns)), key=columns.__getitem__)
    rows = []
    for line in lines:
        if line == "\\.":
            break
        fields = line.split("\t")
        if columns and len(fields) == len(columns):
            line = "\t".join(fields[position] for position in order)
        rows.append(line)
    listed = " (%s)" % ", ".join(columns[position] for position in order) if columns else ""
    return ["COPY %s%s FROM stdin;" % (match["table"], listed), *sorted(rows), "\\."]


def table_block(head, lines):
    """A CREATE TABLE statement; the columns of an inheriting one by name."""
    body = []
    end = ""
    for end in lines:
        if end.startswith(")"):
            break
        body.append(end)
    after = next(lines, "")
    if end == ")" and after.startswith("INHERITS ("):
        body = sorted(line.rstrip(",") for line in body)
    return [head, *body, end, after]


def normalised(text):
    lines = iter(text.split("\n"))
    for line in lines:
        copy = COPY.match(line)
        if line.startswith(NOISE):
            continue
        if copy:
            yield from copy_block(copy, lines)
        elif line.startswith("CREATE TABLE ") and line.endswith("("):
            yield from table_block(line, lines)
        else:
            yield line


def main():
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    sys.stdout.buffer.write("\n".join(normalised(text)).encode("utf-8", "surrogateescape"))


main()
