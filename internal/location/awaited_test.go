package location

import (
	"strings"
	"testing"
)

func TestWaitingSaysForWhatAndShowsNoPassword(t *testing.T) {
	for uri, want := range map[string]string{
		"redis://:hunter2@h:6379/1":                 "waiting for Redis at h:6379",
		"redis://hunter2@h":                         "waiting for Redis at h",
		"redis://":                                  "waiting for Redis at localhost",
		"rediss://u:hunter2@h1:1?addr=h2:2&addr=h3": "waiting for Redis Cluster at h1:1, h2:2, h3",
		"redis://s1:26379?addr=s2:26379&master_name=m&password=hunter2": "waiting for Sentinel at s1:26379, s2:26379",
		"redis://:6379?hunter2=x":           "waiting for Redis at redis://:6379?xxxxx",
		"unix://u:hunter2@/tmp/r.sock?db=1": "waiting for Redis at /tmp/r.sock",
		"rdb:./dump.rdb?db=1":               "checking the RDB file ./dump.rdb",
		"rdb:a\x1b[2Jb":                     `checking the RDB file a\x1b[2Jb`,
		"gopher://u:hunter2@h":              "waiting for xxxxx",
	} {
		got := Default().AwaitedSource(Location{URI: uri})
		if got != want || strings.Contains(got, "hunter2") {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
	for uri, want := range map[string]string{
		"mongodb://u:hunter2@a:27017,b/?authSource=admin": "waiting for MongoDB at a:27017, b",
		"mongodb+srv://u:hunter2@cluster.example":         "waiting for MongoDB at cluster.example",
		"embedded:./data": "starting the embedded database in ./data",
	} {
		got := Default().AwaitedTarget(Location{URI: uri})
		if got != want || strings.Contains(got, "hunter2") {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}
