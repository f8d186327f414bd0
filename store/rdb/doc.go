// Package rdb reads what Lanyard keeps in Redis from an RDB file (dump.rdb), formats 1 to 12.
//
// [Open] goes over the whole file once: its checksum is computed, and its structure followed from key to key up to the
// end, so that a damaged file is known before anything is read. [File.Source] then delivers the records that store/redis
// would deliver from the server that wrote the file; keys that have expired count as absent. What belongs to an
// append-only file is refused: it holds less than the server, or goes on in commands that are not read.
//
// # Structure and values
//
// Where a key begins and ends is followed here, in a walker that reads no value and allocates nothing by what the file
// says. Texts are decoded here, as keys have to be; hashes of Lanyard's by github.com/hdt3213/rdb, one at a time, which
// gets a file of one key each. So what it stops at (Redis functions, slots of a Cluster) or writes to stdout (values of
// modules) never reaches it, and what other applications keep costs no memory.
//
// # One record a user and kind
//
// A file has no look-ups. A first pass counts the keys of each user and kind and decodes all that is asked for, so that
// nothing is delivered from a file that cannot be read to its end. In the second, a key that has no siblings delivers its
// item at once; of others the offset in the file is noted, and the last of the siblings reads the others back from there
// and delivers. The counts are kept, so that a further reading of the same source takes one pass.
//
// # Memory
//
// The largest value with its siblings and a page of items, at any size of the file; besides, some 30 bytes a user, and
// while a pass runs some 80 bytes for each group of siblings of which some are still to come.
//
// # Positions
//
// A position is an offset in the file, and the time that decides which keys have expired: a reading that goes on decides
// as the one before. It holds for a file of the same content, whatever its name; [record.Source.Identity] tells.
package rdb
