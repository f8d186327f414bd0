package mem

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// node is a value with its type, so that a document comes back exactly as it was.
type node struct {
	Type  string          `json:"t"`
	Text  string          `json:"v,omitempty"`
	Named map[string]node `json:"m,omitempty"`
	List  []node          `json:"l,omitempty"`
}

// encode returns the document's encoding, which is the same for the same document.
func encode(doc map[string]any) []byte {
	text, err := json.Marshal(nodeOf(doc))
	if err != nil {
		panic("mem: " + err.Error()) // a tree of texts can always be encoded
	}
	return text
}

// decode returns the document of an encoding of this package's own.
func decode(text []byte) map[string]any {
	var n node
	if err := json.Unmarshal(text, &n); err != nil {
		panic("mem: " + err.Error())
	}
	doc, _ := n.value().(map[string]any)
	return doc
}

func nodeOf(v any) node {
	switch v := v.(type) {
	case bool:
		return node{Type: "bool", Text: strconv.FormatBool(v)}
	case int32:
		return node{Type: "int32", Text: strconv.FormatInt(int64(v), 10)}
	case int64:
		return node{Type: "int64", Text: strconv.FormatInt(v, 10)}
	case float64:
		return node{Type: "double", Text: strconv.FormatFloat(v, 'g', -1, 64)}
	case string:
		return node{Type: "string", Text: v}
	case time.Time:
		return node{Type: "date", Text: strconv.FormatInt(v.UnixMilli(), 10)}
	case map[string]any:
		n := node{Type: "document", Named: make(map[string]node, len(v))}
		for name, e := range v {
			n.Named[name] = nodeOf(e)
		}
		return n
	case []any:
		n := node{Type: "array"}
		for _, e := range v {
			n.List = append(n.List, nodeOf(e))
		}
		return n
	}
	return node{Type: "null"}
}

func (n node) value() any {
	number, _ := strconv.ParseInt(n.Text, 10, 64) // zero for what is none
	switch n.Type {
	case "bool":
		return n.Text == "true"
	case "int32":
		return int32(number)
	case "int64":
		return number
	case "double":
		f, _ := strconv.ParseFloat(n.Text, 64) // it was written by nodeOf
		return f
	case "string":
		return n.Text
	case "date":
		return time.UnixMilli(number).UTC()
	case "document":
		doc := make(map[string]any, len(n.Named))
		for name, e := range n.Named {
			doc[name] = e.value()
		}
		return doc
	case "array":
		list := make([]any, 0, len(n.List))
		for _, e := range n.List {
			list = append(list, e.value())
		}
		return list
	}
	return nil
}

// storable returns a value of a document as a record's value.
func storable(v any) record.Value {
	switch v := v.(type) {
	case int32:
		return int64(v)
	case map[string]any:
		o := make(record.Object, len(v))
		for name, e := range v {
			o[name] = storable(e)
		}
		return o
	case []any:
		list := make(record.Array, len(v))
		for i, e := range v {
			list[i] = storable(e)
		}
		return list
	}
	return record.Storable(v)
}
