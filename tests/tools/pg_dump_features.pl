#!/usr/bin/env perl
# Prints the statements that a test of pg_dump's makes its database with, as one script for psql.
#
#   pg_dump_features.pl SOURCE/src/bin/pg_dump/t/002_pg_dump.pl [PATTERN] >features.sql
#
# Such a test (src/test/modules/test_pg_dump has another) keeps them as the `create_sql` of the features listed in %tests. That list is Perl, so Perl
# reads it; nothing else of the file runs. Left out are features of other databases than the test's
# main one, those about databases themselves, those that need a server built with LZ4, and those whose
# statements match PATTERN.
use strict;
use warnings;

my ($file, $without) = @ARGV;
die "usage: pg_dump_features.pl FILE [PATTERN]\n" unless defined $file;
open(my $handle, '<', $file) or die "cannot read $file: $!\n";
my $source = do { local $/; <$handle> };
my ($list) = $source =~ /^my %tests = \(\n(.*?\},?)\);$/ms or die "$file: no list of features\n";

my %features = eval "no strict; no warnings; my \$tempdir = '.'; ($list)";
die "$file: $@" if $@;

sub order { return $features{$_[0]}{create_order} // 1_000_000 }

sub is_wanted
{
	my ($feature) = @_;
	return 0 if !$feature->{create_sql} || $feature->{lz4};
	return 0 if ($feature->{database} // 'postgres') ne 'postgres';
	return 0 if defined $without && $feature->{create_sql} =~ $without;
	return $feature->{create_sql} !~ /\bDATABASE\b/;
}

my @names = grep { is_wanted($features{$_}) } sort { order($a) <=> order($b) || $a cmp $b } keys %features;
die "$file: only " . @names . " features\n" if @names < 10;
print "\\set ON_ERROR_STOP on\n";
for my $name (@names)
{
	my $sql = $features{$name}{create_sql};
	# Roles belong to the whole server, where another such script may have made them.
	$sql =~ s/(CREATE ROLE (?:"(?:[^"]|"")+"|\w+)[^;]*)/DO \$role\$ BEGIN $1; EXCEPTION WHEN duplicate_object THEN NULL; END \$role\$/g;
	print "$sql;\n";
}
