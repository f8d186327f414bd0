// Package dynamo reads and writes the tables of a DynamoDB, as a source and as a target of records: an item is a record of
// the table's kind, and its attributes are the record's fields.
package dynamo
