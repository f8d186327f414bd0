// Package layout is the one place where Lanyard's Redis keys and values are decoded, whether they come from a live
// server or from an RDB file, and encoded. It talks to no server.
//
// [Classify] tells from a key which [Layout] it has. A reader then fills in a [Found] for each key of a user and kind,
// and a decoder makes the one [record.Item] of them: [KV], [LastSeen], [MonitoringSince], [Metrics], or [Pair] for API
// keys. The prefix decides how a value is decoded, never a guess from the value.
//
// A kind with several layouts is delivered by the first of its keys that [Found.Exists], in the order of
// [Layout.Family]; the others are read together with it.
//
// Some prefixes are generic ("api_key:", "monitoring:", "user_monitoring_since:"). In a Redis that is shared, such a
// key may be another application's. Where what should be a user id is none, or the type is wrong, the key is foreign
// ([Found.Foreign]): it is counted, and its value goes nowhere. Under Lanyard's own prefixes the same is a reject.
//
// # Where Redis is the target
//
// The layouts of an app, or of both, are [Layouts]: they say which kinds they keep, which of a kind's keys are written, and
// what they cannot hold. Beside Lanyard's keys stand hashes of lanyardctl's own, such as [Digests].
package layout
