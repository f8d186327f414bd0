package ui

import "testing"

func TestATableThatIsTooWideIsFolded(t *testing.T) {
	table := Table{Head: []string{"value", "place", "is", "holds"}, Folds: true, Rows: [][]string{
		{"kv", "lanyard_kv:1", "same", "1 field"}, {"", "kv", "", ""},
	}}
	for columns, want := range map[int]string{
		0:  "value  place         is    holds\nkv     lanyard_kv:1  same  1 field\n       kv\n",
		34: "value  place         is    holds\nkv     lanyard_kv:1  same  1 field\n       kv\n",
		30: "value  place         is\n         holds\nkv     lanyard_kv:1  same\n         1 field\n       kv\n",
		24: "value  place\n         is    holds\nkv     lanyard_kv:1\n         same  1 field\n       kv\n",
		18: "value\n    place         is    holds\nkv\n    lanyard_kv:1  same  1 field\n    kv\n",
	} {
		text := &Text{Style: Style{Width: columns}}
		if text.Table(table); text.String() != want {
			t.Errorf("at %d columns:\n%s\nwant:\n%s", columns, text, want)
		}
	}
}
