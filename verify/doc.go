// Package verify tells whether a target holds all that a source holds. It reads each side once, in memory that does not
// grow with the data, and looks closer only where the two differ.
//
// Each record, and each document of the target, adds its digest to one of 65,536 buckets, chosen by its user. Where the
// sums of a bucket are the same on both sides, so are its records. The records of the other buckets are read again, as
// many buckets at a time as fit the memory that is allowed, and compared one by one with [record.Compare]. What differs
// then is read once more after a pause, since a live source moves.
package verify
