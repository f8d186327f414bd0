// Package memfile serves records from a file of JSON lines: the smallest source there is, which shows what it takes to add
// one. A line is {"user": "94490510688792576", "last_seen": 1775185650000} or {"user": "…", "kv": {"city": "Oslo"}}.
package memfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

type line struct {
	User     string            `json:"user"`
	LastSeen *int64            `json:"last_seen"`
	KV       map[string]string `json:"kv"`
}

func (l line) item() (record.Item, error) {
	user, ok := record.ParseUserID(l.User)
	r := record.Record{Kind: record.KV, User: user, Fields: make(map[string]record.Field, len(l.KV))}
	switch {
	case !ok:
		return record.Item{}, fmt.Errorf("%q is no user", l.User)
	case l.LastSeen != nil:
		r = record.Record{Kind: record.LastSeen, User: user, Time: *l.LastSeen}
	}
	for name, v := range l.KV {
		r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Key: "kv:" + l.User, Raw: v}}
	}
	return record.Item{Kind: r.Kind, Record: &r}, nil
}

// Open reads the records of the kinds from the file.
func Open(path string, kinds record.Kinds) (*mem.Source, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var items []record.Item
	for lines := json.NewDecoder(file); ; {
		var l line
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			return &mem.Source{Items: [][]record.Item{items}, ID: path}, nil
		} else if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		item, err := l.item()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if kinds.Has(item.Kind) {
			items = append(items, item)
		}
	}
}
