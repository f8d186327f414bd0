package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// entries returns all keys. No two have the same name.
func entries() []entry {
	return slices.Concat(
		keyValues(), damagedKeyValues(), apiKeys(), lastSeen(), monitoring(), metrics(),
		damagedKeys(), otherKeys(), ordinaryUsers(),
	)
}

// Users with something to them have ids that end in the number by which the README names them. The accounts are of
// 2022-07-22.
func user(n int) string { return strconv.Itoa(1_000_000_000_000_000_000 + n) }

func fork(n int) string     { return "lanyard:user_kv:" + user(n) }
func upstream(n int) string { return "lanyard_kv:" + user(n) }

// keyValues are users whose key-value pairs are all good, at least for MongoDB.
func keyValues() []entry {
	return []entry{
		hash(fork(101), // both layouts
			"same", `"as upstream's"`,
			"city", `"Lyon"`,
			"only_fork", `"here"`,
			"count", `7`),
		hash(upstream(101),
			"same", "as upstream's",
			"city", "Paris",
			"only_upstream", "there",
			"count", "7"),
		hash(fork(102), // every JSON type
			"text", `"hello"`,
			"text_of_digits", `"7"`,
			"integer", `7`,
			"negative", `-42`,
			"largest", `9223372036854775807`,
			"smallest", `-9223372036854775808`,
			"double", `1.5`,
			"exponent", `1e3`,
			"yes", `true`,
			"nothing", `null`,
			"list", `[1,"two",3.5,null,false]`,
			"object", `{"name":"value","inner":{"n":1}}`,
			"empty_list", `[]`,
			"empty_object", `{}`,
			"escapes", `"caf\u00e9 \ud83d\ude00 \"quoted\" \\ \n"`,
			"spaces", " \t{ \"a\" : 1 } \n"),
		hash(upstream(103), // raw text, whatever it looks like
			"digits", "7",
			"json", `{"not":"decoded"}`,
			"quoted", `"quotes stay"`,
			"empty", "",
			"lines", "first\nsecond\r\n",
			"emoji", "🪢 lanyard",
			"long", strings.Repeat("A text of some length. ", 1300)),
		hash(fork(104), // not JSON: kept as text
			"plain", "just text",
			"cut", `{"a":`,
			"trailing", `1 2`,
			"single_quotes", `'text'`,
			"lone_surrogate", `"\ud800"`,
			"low_surrogate_first", `"\udc00\ud83d"`,
			"nan", `NaN`,
			"leading_zero", `007`,
			"empty", ""),
		hash(fork(105), "ok", `"yes"`, "deep", strings.Repeat(`{"a":`, 100)+"1"+strings.Repeat("}", 100)), // as deep as allowed
		expiring(hash(upstream(106), "soon", "gone in 2100")),
	}
}

// damagedKeyValues are users of whom something cannot be migrated.
func damagedKeyValues() []entry {
	const large = 5_700_000 // three of them exceed 16 MiB
	return []entry{
		hash(fork(111),
			"ok", `"stays"`,
			"too_large", `9223372036854775808`,
			"too_small", `-9223372036854775809`,
			"beyond_double", `1e400`,
			"inside", `{"list":[1,99999999999999999999]}`),
		hash(fork(112),
			"ok", `"stays"`,
			"objects", strings.Repeat(`{"a":`, 101)+"1"+strings.Repeat("}", 101),
			"arrays", strings.Repeat("[", 5000)+strings.Repeat("]", 5000)),
		hash(upstream(113),
			"ok", "stays",
			"latin1", "caf\xe9",
			"cut_rune", "\xf0\x9f\x98",
			"bytes", "\x00\x01\xfe\xff",
			"name_\xff\xfe", "the name is no text"),
		hash(fork(114),
			"ok", `"stays"`,
			"latin1", "\"caf\xe9\""),
		hash(upstream(115), // names
			"ok", "stays",
			"nul\x00inside", "no BSON name",
			"dotted.name", "MongoDB takes it, FerretDB does not",
			"$dollar", "MongoDB takes it, FerretDB does not",
			"a space", "fine",
			"two\nlines", "fine",
			"trailing newline\n", "fine",
			"", "the empty name is fine",
			"naïve ☕ 名前", "fine",
			strings.Repeat("n", 255), "fine"),
		hash(fork(116), // what FerretDB refuses
			"ok", `"stays"`,
			"grid", `[[1,2],[3,4]]`,
			"grid_inside", `{"grid":[[1]]}`,
			"dotted_inside", `{"a.b":1}`,
			"dollar_inside", `{"$set":1}`),
		hash(upstream(117), // over 16 MiB as a whole, with no value that is
			"first", strings.Repeat("a", large),
			"second", strings.Repeat("b", large),
			"third", strings.Repeat("c", large)),
		hash(fork(118), "only", `99999999999999999999`, "bad", "\xff"), // nothing is left
		hash(fork(119), "field", `99999999999999999999`),               // upstream's value takes the place of a bad one
		hash(upstream(119), "field", "good"),
		text(upstream(121), "a string, where a hash should be"),
		list(fork(122), "a", "list"),
		hash(upstream(122), "ok", "the other layout is good"),
	}
}

// fakeKey returns the n-th API key: 32 hexadecimal digits that nobody will take for a real one.
func fakeKey(n int) string { return fmt.Sprintf("fa4efa4efa4efa4efa4e%012x", n) }

func currentKey(n int, key string) entry { return text("user_api_key:"+user(n), key) }
func claim(key string, n int) entry      { return text("api_key:"+key, user(n)) }

func apiKeys() []entry {
	return []entry{
		currentKey(201, fakeKey(0x201)), claim(fakeKey(0x201), 201),
		currentKey(202, "lnyd_"+fakeKey(0x202)), claim("lnyd_"+fakeKey(0x202), 202),

		currentKey(203, fakeKey(0x203)), claim(fakeKey(0x203), 203), // and two stale ones
		claim(fakeKey(0x2031), 203), claim("lnyd_"+fakeKey(0x2032), 203),

		claim(fakeKey(0x204), 204), // repaired: none is current

		currentKey(205, fakeKey(0x2050)), claim(fakeKey(0x205), 205), // repaired, and an unpaired one

		claim(fakeKey(0x2061), 206), claim(fakeKey(0x2062), 206), // ambiguous

		currentKey(207, fakeKey(0x2070)), // ambiguous, and an unpaired one
		claim(fakeKey(0x2071), 207), claim(fakeKey(0x2072), 207), claim("lnyd_"+fakeKey(0x2073), 207),

		currentKey(208, fakeKey(0x208)), // unpaired
		currentKey(209, fakeKey(0x201)), // unpaired: the key is user 201's

		expiring(currentKey(210, fakeKey(0x210))), claim(fakeKey(0x210), 210),

		list("user_api_key:"+user(211), fakeKey(0x211)), // wrong type, and the key authenticates
		claim(fakeKey(0x211), 211),
	}
}

func lastSeen() []entry {
	forkSeen := func(n int, value string) entry { return text("lanyard:user_last_seen:"+user(n), value) }
	seen := func(n int, value string) entry { return text("lanyard_last_seen:"+user(n), value) }
	return []entry{
		forkSeen(301, "1711111111111"), seen(301, "1700000000000"), // the fork's is later
		forkSeen(302, "1700000000000"), seen(302, "1711111111111"), // upstream's is later
		forkSeen(303, "1711111111"),                            // seconds
		seen(304, "1711111111111222"),                          // microseconds
		seen(305, "2024-03-22T12:38:31.111Z"),                  // ISO 8601
		seen(306, "2024-03-22 14:38:31+02:00"),                 // with a zone
		seen(307, "1711111111111.0"),                           // as a double
		seen(308, "1400000000000"),                             // 2014
		seen(309, "4102444800000"),                             // 2100
		seen(310, "-1"),                                        // negative
		seen(311, "99999999999999999999"),                      // beyond 64 bits
		seen(312, "never"),                                     // no time
		seen(313, ""),                                          // empty
		seen(314, "0x18e6a3b"),                                 // hexadecimal
		seen(315, "NaN"),                                       // no number
		seen(316, "\xff\xfe"),                                  // no text
		forkSeen(317, "yesterday"), seen(317, "1711111111111"), // one layout is good
		hash("lanyard_last_seen:"+user(318), "unix", "1711111111111"), // wrong type
		expiring(seen(319, "1711111111111")),
		set("lanyard:user_last_seen:"+user(320), "1"), seen(320, "1711111111111"), // wrong type, the other layout is good
	}
}

func monitoring() []entry {
	since := func(n int, value string) entry { return text("lanyard:user_monitoring_since:"+user(n), value) }
	older := func(n int, value string) entry { return text("user_monitoring_since:"+user(n), value) }
	oldest := func(n int, value string) entry { return text("monitoring:"+user(n), value) }
	const largestID = "18446744073709551615"
	return []entry{
		since(401, "1711111111"), older(401, "1664641326"), oldest(401, "1670000000"), // the earliest is 2022-10-01
		since(402, "1664641326789"),                        // milliseconds
		older(403, "1664641326789012"),                     // microseconds
		oldest(404, "2022-10-01T16:22:06"),                 // ISO 8601 without a zone
		since(405, "2022-10-01"),                           // a date
		since(406, "1600000000"),                           // 2020, before the account
		since(407, "1400000000"),                           // 2014
		since(408, "4102444800"),                           // 2100
		older(409, "unknown"),                              // no time
		since(410, "1600000000"), older(410, "1664641326"), // the earlier one is before the account
		since(411, "1658488979"),                             // the very second of the account's creation
		hash("monitoring:"+user(412), "since", "1664641326"), // foreign: the prefix is generic
		since(413, ""),
		sortedSet("lanyard:user_monitoring_since:"+user(414), "1664641326"), // wrong type
		text("lanyard:user_monitoring_since:"+largestID, "1664641326"),      // an id of the future has no creation date
	}
}

func metrics() []entry {
	return []entry{hash("lanyard:metrics_v1",
		"lanyard_messages_outbound", "120345",
		"lanyard_messages_inbound", "98765.0",
		"lanyard_presence_updates", "1.0e6",
		"lanyard_2xx_responses", "1.5",
		"lanyard_4xx_responses", "0",
		"lanyard_5xx_responses", "-3",
		"lanyard_discord_messages_sent", "0x1F",
		"an_own_counter", "12",
		"infinite", "inf",
		"not_a_number", "NaN",
		"words", "many",
		"beyond_double", "1e999",
		"type", "7",
		"_id", "8",
		"updated_at", "1711111111",
		"bytes_\xff", "1",
		"dotted.counter", "9",
	)}
}

// damagedKeys have an id that is none, under prefixes that are Lanyard's own.
func damagedKeys() []entry {
	return []entry{
		hash("lanyard_kv:somebody", "a", "1", "b", "2"),
		hash("lanyard:user_kv:0123456789", "leading_zero", `"x"`),
		hash("lanyard:user_kv:", "no_id", `"x"`),
		text("lanyard_last_seen:-5", "1711111111111"),
		text("lanyard:user_last_seen:+1000000000000000301", "1711111111111"),
		text("lanyard:user_monitoring_since:0", "1664641326"),
		text("user_api_key:18446744073709551616", fakeKey(0x2fe)),
		text("lanyard_kv:\xff\xfe", "no id and a wrong type"),
	}
}

// otherKeys are left alone: of a removed feature, foreign (under a generic prefix), or nobody's that we know.
func otherKeys() []entry {
	all := []entry{
		text("api_key:billing", "service-account-7"),
		text("api_key:"+fakeKey(0x2ff), ""),
		hash("api_key:mailer", "scope", "send"),
		text("monitoring:disk:/dev/sda1", "93"),
		text("user_monitoring_since:alice", "2021-01-01"),
		text("session:9f2c", "somebody else's"),
		list("queue:default", "job-1", "job-2"),
		stream("events", "type", "login"),
		text("lanyard:feature_flags", "on"),
		text("LANYARD_KV:1000000000000000101", "another case"),
		text("\x80binary key", "x"),
	}
	for i := range 12 {
		all = append(all, hash(fmt.Sprintf("lanyard_analytics:%s:spotify:track:fake%018d", user(500+i/3), i),
			"plays", strconv.Itoa(3*i+1), "last_played", "1640995200"))
	}
	return all
}
