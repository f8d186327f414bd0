package main

const verifyTablesLong = `Compare tables of DynamoDB with the MongoDB collections that they were copied to, in
full, and tell whether anything is missing there. Nothing is written to either. The
question is whether migrate dynamodb-to-mongo would change anything: a target that
has more, such as an attribute that somebody added, is fine. Items that cannot be
migrated are rejected here as by migrate. A difference names the table, the item and
the attribute, never a value.

Tables that are in use move while they are read, so what differs is read again after
a pause (--recheck, --recheck-delay). The report alone goes to standard output;
--report writes it to a file as well, as its name ends: .json, .xml (JUnit) or .md.

` + tablesEnvironmentHelp + verifyExit

const verifyTablesExample = `  lanyardctl verify dynamodb-to-mongo --dynamodb dynamodb: --mongo embedded:./try
  lanyardctl verify dynamodb-to-mongo --dynamodb dynamodb: --tables remember --exact
  lanyardctl verify dynamodb-to-mongo --dynamodb http://localhost:8000 --report verify.md`

const verifyTablesBackLong = `Compare the MongoDB collections that tables were copied to with tables of DynamoDB,
in full, and tell whether anything is missing there. Nothing is written to either.
The question is whether migrate mongo-to-dynamodb would change anything: a target
that has more is fine. Documents that are no items are rejected here as by migrate. A
difference names the table, the item and the attribute, never a value.

` + tablesEnvironmentHelp + verifyExit

const verifyTablesBackExample = `  lanyardctl verify mongo-to-dynamodb --mongo embedded:./try --dynamodb http://localhost:8000
  lanyardctl verify mongo-to-dynamodb --dynamodb dynamodb: --tables remember --exact`
