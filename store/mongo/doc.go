// Package mongo is the store on MongoDB (4.4 and later) and FerretDB v1: it merges records into the collections that
// Lanyard's fork reads.
//
// # How a batch is written
//
// A record that is new costs one document in an unordered insert, under the user's id as _id. Only what the server
// reports as a duplicate is read back, merged by [record.Merge], or in a mirror by [record.Mirror], and updated where the
// document still is what was read.
// Where many of a batch's records stood in the target, or its collection was not empty, the next batch looks its records
// up by their users first, and inserts what is not there: ten lookups cost as much as a duplicate.
// The unique indexes on user_id (and on key, for API keys) make the app's own documents, which have other ids, show up
// as duplicates too. On an empty collection they are made after the load; on one that holds documents before it.
// An index is ready once most members of a replica set have it, and is waited for in bounded time: index.go.
//
// # How the database is read back
//
// One cursor streams a collection, a bounded page at a time: [Reader]. A page's documents are decoded by the function
// that also decodes what a batch has met, so that migrating and verifying see the same in a document.
//
// # How the database is a source
//
// A [Source] reads a collection in the order of its _ids, by the bounds of the index on them: the operators of a filter
// compare with values of one type alone, and the app's documents have another type of _id than lanyardctl's. A large
// collection is read in ranges whose ends never change, side by side. A position is the last _id read, so that a later run
// resumes behind it, and so does a cursor that broke. Where the app alone wrote, no index keeps users unique: who has
// several documents is found first, left out, and read by a look at that user at the end. On FerretDB, and of a view, there
// is no order to resume in.
//
// # How single documents are changed
//
// [Documents.Apply] reads the documents of its steps first, compares them byte by byte with what they were and what they
// shall be, and writes where they are what they were. On MongoDB each write is guarded by the whole document, and by the
// types of the fields that change, since 1 equals 1.0 there. Where fewer documents were written than should be, they are
// read once more, and only then is it known which.
//
// # How a persistence layer uses it
//
// [Persistence] tells what single users have, place by place, in the order in which the fork reads it, and changes it by such
// steps. Whoever decides is asked anew where somebody changed the document meanwhile. A new document comes by an upsert that
// finds it by its user, so that the app's own is met without a unique index.
//
// # What a MongoDB answers
//
// Every command compares bytes, whatever collation a collection has: commands.go. What a run cannot be made on is found
// before it: a secondary, a view, a capped collection ([Open], [Store.CheckWritable]). Errors are sorted by their types,
// labels and codes, in one function and one table: errors.go and codes.go. docs/mongodb.md tells it to operators.
//
// # Kinds
//
// What is peculiar to the documents of a kind stands in one file for each, behind [schema] in kind.go: how they are
// encoded and decoded, how one changes, what of it is read. The rest of the package knows no kind by its name.
//
// # Other servers
//
// The package is written for MongoDB. What differs on a server that speaks its protocol is a [dialect], chosen when the
// store is opened. All that is FerretDB's alone, and why, is in ferretdb.go. It scans a collection for every filter but a
// lone _id, hangs for good when about a hundred updates are under way on one database, loads all that it counts or sorts,
// and fails or hangs where the documents of a reply are too large for it. Its updates are not guarded: somebody else's
// write between reading and writing the same document can be lost there, on MongoDB it cannot. Changes by a [Persistence]
// keep each other out, from any process; the app's own are not kept out.
package mongo
