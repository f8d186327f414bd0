// Package embedded runs a MongoDB-compatible server inside this process, on a folder: FerretDB with its SQLite files.
// It is for trying out and for tests; no record goes through it, only the mongodb:// URI of the server.
//
// # The folder
//
// A folder that does not exist is made, for its owner alone, and so is an empty one closed to others: the files hold
// API keys. Two processes on one folder corrupt it, so a server holds a lock on the file lanyardctl.lock in it. The
// system drops that lock with the process, however it ends; the file stays. A folder that holds other files and no such
// lock is refused, so that nothing is written into the data of a mongod, say.
//
// # Who can connect
//
// The server has no authentication. By default it listens on a Unix socket in a fresh folder that only this user can
// enter; [Options.Listen] names a TCP address instead, which has to be a loopback address.
//
// A build with the tag noembedded leaves FerretDB out; [Start] then fails with [ErrNotIncluded].
package embedded
