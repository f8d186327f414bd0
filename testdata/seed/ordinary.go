package main

import (
	"fmt"
	"strconv"
)

var (
	cities    = []string{"Berlin", "São Paulo", "Toronto", "大阪", "Kraków", "Nairobi", "Oslo"}
	pronouns  = []string{"she/her", "he/him", "they/them", "ask me"}
	languages = []string{"Elixir", "Rust", "Go", "TypeScript", "Zig"}
	moods     = []string{"shipping 🚀", "on a walk", "reading", "do not disturb", "☕"}
)

// ordinaryUsers are the rest: forty people in upstream's layout, the fork's, or both, with nothing wrong.
func ordinaryUsers() []entry {
	var all []entry
	for i := range 40 {
		// From 17 digits (early 2016) to 18 (2021).
		id := strconv.Itoa(50_000_000_000_000_000 + i*20_000_000_000_000_000 + i*7919 + 1)
		values := []string{
			"location", cities[i%len(cities)],
			"pronouns", pronouns[i%len(pronouns)],
			"website", fmt.Sprintf("https://user%d.example/~me?ref=lanyard&n=%d", i, i),
			"favourite_language", languages[i%len(languages)],
			"mood", moods[i%len(moods)],
			"age", strconv.Itoa(18 + i),
		}
		since := strconv.Itoa(1_640_000_000 + i*1_000_003)
		seen := strconv.Itoa(1_730_000_000_000 + i*86_399_977)
		switch i % 4 {
		case 0, 1: // upstream
			key := fakeKey(i)
			if i%4 == 1 {
				key = "lnyd_" + key
			}
			all = append(all, hash("lanyard_kv:"+id, values...), text("user_api_key:"+id, key), text("api_key:"+key, id))
			if i%8 == 0 {
				all = append(all, text("lanyard_last_seen:"+id, seen))
			}
		case 2: // the fork
			all = append(all, hash("lanyard:user_kv:"+id, asJSON(values)...),
				text("lanyard:user_last_seen:"+id, seen), text("lanyard:user_monitoring_since:"+id, since))
		case 3: // moved from upstream to the fork
			all = append(all, hash("lanyard_kv:"+id, values[:4]...), hash("lanyard:user_kv:"+id, asJSON(values)...),
				text("lanyard_last_seen:"+id, "1700000000000"), text("lanyard:user_last_seen:"+id, seen),
				text("monitoring:"+id, since))
		}
	}
	return all
}

// asJSON returns fields and values in turn, the values as the fork writes them: JSON strings.
func asJSON(values []string) []string {
	var encoded []string
	for i, v := range values {
		if i%2 == 1 {
			v = `"` + v + `"`
		}
		encoded = append(encoded, v)
	}
	return encoded
}
