// Package record is the vocabulary of lanyardctl: what Lanyard keeps about a user, how two versions of it are merged,
// and what the rooms of the house say to each other. It knows no driver and no command, and imports the standard
// library only.
//
// # Words
//
//   - A [Kind] is one of the five things Lanyard keeps: API keys, key-value pairs, last-seen times, monitoring dates
//     and counters; or it is a [Table] of DynamoDB, whose records are items and whose fields are attributes.
//   - A [Record] is all that a source knows of one [Identity] and kind (an API key is a record of its own; the counters
//     are one record, which is nobody's). An identity is a user, or else a [Name], such as the key of a table's row.
//   - An [Item] is a record on its way, with what had to be left out of it: [Reject] lines, [Superseded] values, and
//     notes to be counted.
//   - A [Source] delivers pages of items; a [Sink] merges batches of records into a target and answers one [Outcome] a
//     record.
//   - [Held] is what a target already has for a record, and [Merge] decides, without a server, what becomes of the two.
//   - [Limits] says what a target can hold. Copying, dry run and verification apply it through the same [Limits.Apply],
//     so they agree on what is rejected.
//
// # Values
//
// A [Value] is one of nil, bool, int64, float64, string, [Array], [Object] and [Opaque], and in a table [Decimal], [Binary] and [Set]. Two values are equal when they
// mean the same ([Equal]): 7 is 7.0, and the order of an object's fields is nothing.
package record
