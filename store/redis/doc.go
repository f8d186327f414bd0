// Package redis reads what Lanyard keeps in Redis, changes it for single users, and fills a Redis from another database:
// standalone, behind Sentinel, or in a Cluster.
//
// [Open] connects and says in its error what is wrong in words that need no knowledge of Redis. [Store.Source] then
// delivers one record a user and kind, as [record.Source] asks. It never blocks the server: one SCAN over the keyspace
// of each master, values in pipelines, and no command whose answer has no bound.
//
// # One record a user and kind
//
// A SCAN meets the keys of a user in any order. A kind with several layouts is delivered by the first of its keys that
// exists, in a fixed order. The same round trip tells whether any of the others exist, of several users by one command, and
// only where some do they are looked up one by one. A key that is met while an earlier one exists delivers nothing. So nothing has to be remembered, however many users there are. As with any SCAN, a key that
// is made or removed while it runs may be missed: the next run finds it.
//
// API keys are two halves, api_key:K → U and user_api_key:U → P. Halves that fit are delivered at once. What nothing
// decides yet is held, by user; when all masters are read, [record.Source.Deferred] reads the held ones again and decides
// by [layout.Pair]. So a key that is regenerated meanwhile is not brought back.
//
// # Points
//
// Of a few users nothing has to be scanned: their keys can be named, in every layout, and are looked up and decoded as a
// page of SCAN's answer is. That is [Store.Points], and a source with [SourceOptions.Points], whose one part has users for
// positions. The exception is an api_key:K whose user has another current key, or none: only a scan finds it. So points
// deliver the user's current key where it authenticates, reject it where it does not, and say nothing of others.
//
// # Speed
//
// While a page of SCAN's answer is delivered, the next ones are scanned, looked up and decoded side by side, and they are
// delivered in order. A single server is asked over one connection, in the order in which the pages ask, by commands that
// are written and read by hand; a Cluster by go-redis.
//
// # Memory
//
// A page of SCAN's answer is about a thousand keys, and a few pages are under way at a time. Of a string at most 1 KiB is
// fetched before its length is known; of a hash the size is asked for first. Values are then fetched in groups of at most a
// budget (32 MiB), each a [record.Page] of its own; ahead of a page's turn, only as many as take a small share of it. A value
// over [layout.MaxValue] is never fetched as a whole. Held API keys are the only thing that grows with the data, by some 100
// bytes a user whose halves do not fit.
//
// # Positions
//
// A position is SCAN's cursor and whether API keys were held up to there. A cursor means something to the same server
// process alone, so [record.Source.Identity] changes with a restart, a failover and a move of slots. A reader that goes
// on from a position with held keys first collects them again, in a light pass over the API keys alone.
//
// # Servers that take over
//
// A node is a server process with its share of the slots. What a scan of it named holds for the slots that it has had, and
// that were not moving, from before the scan until after it: that is known by the process, the owner of the slots, the
// epoch of the owner's configuration, which grows with each slot that it takes, and by what it says to move. The other slots are
// read from those who have them when all parts were read, again and again until each was held by one node for a whole scan
// ([source.readAgain]). Outside a Cluster one node has all slots, so a restart and a Sentinel's failover are the same.
// Whoever comes is held to the number of keys of those whose slots they were, and to the keys that are remembered of those.
// Where replicas are read, one of each master is the node, always the same; what has come to its master with a slot it has
// to have, too.
// A slot that is moved in part, and back, without ever being owned by another, within one scan, goes unnoticed.
//
// # Feeds
//
// [Store.Feed] tells which users' keys are changed, as it happens, whoever changes them. Servers tell that over a connection of
// its own to each, by CLIENT TRACKING or by keyspace notifications. It ends where changes may have been missed, since a
// connection was lost or others serve the keys, and never finds out what they were: whoever follows it opens another store
// and another feed, and compares.
//
// # Changes
//
// [Store.Persistence] changes what single users have. Each change is a transaction under WATCH: what decides it is read
// after that, and if somebody else writes meanwhile, it is decided anew. So a change whose answer was lost can be made
// again: it is decided by what is there then. API keys have two halves, which a Cluster keeps in different slots. There
// the steps are in an order in which a process that is killed leaves fewer keys that authenticate, and never one more.
//
// # As a target
//
// [Store.Sink] merges records into the keys of one app's layouts, or of both, and [Store.Reader] reads back what stands there. What
// was read decides, and each write takes place only if that is still so. Where one server has all keys, that are transactions
// under WATCH, of a few records each, since the server looks through all that a connection watches for each key more. Keys
// that hold texts, and do not exist yet, are made by MSETNX, which makes none where any exists. In a Cluster each key is a
// transaction of its own.
//
// What lanyardctl wrote is known again by digests, which Redis has no place for beside a value: they stand in the hash
// [layout.Digests], by key, in a Cluster in one such hash a slot ([layout.DigestsOf]), so that both change together. A digest
// counts while its key still holds what it is of. [Store.Forget] removes them.
//
// Of API keys, old ones are revoked first, then the new one becomes the user's current key, and at last it authenticates. Where one
// server has all keys this is one transaction. A key that authenticates a user beside the current one is found by a look at all
// keys before the first write.
//
// Progress, leases and how runs ended stand in hashes of their own, too. Progress counts while a key of each kind that was
// written is still there, and the servers are the same processes: what one had before a restart may be lost.
package redis
