// Package countingserver speaks as much of MongoDB's wire protocol as lanyardctl and the yardsticks of the bench use, at
// next to no cost: documents stay in memory as they were sent, and go out as they came in. A run against it shows what
// the program itself costs, and what its driver does.
//
// It says that it is MongoDB 7.0 and answers as that does, as far as it goes: inserts with unique indexes, cursors,
// bounds of an index, projections, counts, updates and deletions. What it does not know it refuses with an error, so
// that nothing is measured that was not done. Nothing is ever written to disk.
//
// What makes a real server slow is not here: a look-up by any field costs nothing, with or without an index.
package countingserver
