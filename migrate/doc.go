// Package migrate copies records from a source to a target: the main loop of lanyardctl. It knows no driver and no
// terminal.
//
// # How a record travels
//
// One reader a part of the source delivers pages. What the target cannot hold is taken out of their items, the records
// are put into batches of one kind, and workers, as many at a time as the target's pace asks for, have the sink merge them.
// A batch waits while another one with a record of the same user and kind is under way, so no two writes of one run touch
// the same document.
//
// # What the target holds already
//
// Where a collection holds documents when the run begins, they are read once, as digests, into one table of at most
// Options.Memory bytes. A record that its document says exactly is counted as unchanged, and needs no batch. All others go
// to the sink, which looks them up, and the table forgets their documents.
//
// # How a run that was killed is resumed
//
// Each page keeps count of its records that have no outcome yet. When the oldest page of a part has none left, its
// rejects are written out, its figures are added up, and the part's position moves behind it: a page is *committed*.
// Every few seconds the committed positions and figures are saved in the target as a checkpoint, after the rejects file
// was flushed. A later run of the same scope (source, options, format) reads from there. Pages that were written but
// not committed are read and merged again, which changes nothing, since every write is a merge; their lines may stand
// twice in the rejects file.
//
// # Memory
//
// At most maxWaiting batches wait for a worker, these and those that are being written are of at most maxWritingBytes, and
// each reader builds one a kind; a batch is at most Options.BatchSize records and about Options.BatchBytes bytes, which
// only key-value pairs come near. Besides, the figures of at most maxOpenPages pages a part are kept, with about
// maxOpenBytes of rejected values, and the table of what the target holds.
package migrate
