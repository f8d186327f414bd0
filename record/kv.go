package record

import (
	"maps"
	"slices"
)

// kvRules are those of key-value pairs, which are merged field by field. A document that is still exactly what
// lanyardctl wrote follows the source, also in what is gone from it.
var kvRules = &kvKind{traits{
	name: "kv", collection: KVCollection, shape: FieldsShape,
	frame: bsonElement + len("kv") + bsonDocument +
		bsonElement + len(WrittenField) + bsonDocument +
		bsonElement + len("digest") + bsonString + 2*len(Digest{}),
}}

type kvKind struct{ traits }

func (*kvKind) merge(m merging) Decision {
	if m.held.Malformed != nil {
		m.targetGaveWay("", m.held.Malformed)
	}
	for _, name := range m.r.FieldNames() {
		ours := m.r.Fields[name]
		theirs, exists := m.held.Fields[name]
		switch {
		case !exists:
			m.set(name, ours.Value)
		case Equal(ours.Value, theirs):
		case m.held.Unmodified || m.policy == PreferSource:
			m.targetGaveWay(name, theirs)
			m.set(name, ours.Value)
		case m.policy == PreferTarget:
			m.sourceGaveWay(ours.Origin, name, true)
		default:
			line := Reject{Detail: "the target's value differs, and lanyardctl did not write it"}
			m.reject(line.At(name, ours.Origin))
			m.d.Conflicts++
		}
	}
	content := m.r
	if m.held.Unmodified {
		content = m.withoutGoneFields()
	}
	if m.d.Write && (m.held.Unmodified || !m.held.Found) {
		m.d.Mark = content.Digest().String()
	}
	return m.d
}

// withoutGoneFields removes from a document of lanyardctl's own what is gone from the source, and returns what it holds
// then.
// A field that was only rejected this time is not gone: the target keeps what it has of it.
func (m *merging) withoutGoneFields() Record {
	content := m.r
	content.Fields = make(map[string]Field, len(m.r.Fields))
	maps.Copy(content.Fields, m.r.Fields)
	for _, name := range slices.Sorted(maps.Keys(m.held.Fields)) {
		if _, exists := m.r.Fields[name]; exists {
			continue
		}
		if m.r.Omitted.Has(name) {
			content.Fields[name] = Field{Value: m.held.Fields[name]}
			continue
		}
		m.targetGaveWay(name, m.held.Fields[name])
		m.d.Unset = append(m.d.Unset, name)
		m.d.Write = true
	}
	return content
}

func (*kvKind) compare(c comparing) []Difference {
	if c.exact {
		c.exactFields(c.held.Fields)
		return c.found
	}
	for name := range c.d.Set {
		_, exists := c.held.Fields[name]
		c.unequal(name, exists)
	}
	for _, name := range c.d.Unset {
		c.add(name, Extra)
	}
	for _, conflict := range c.d.Rejects {
		c.add(conflict.Field, Different)
	}
	return c.found
}

func (*kvKind) content(c Content, held Held, _ Bounds) Content {
	c.Complete = c.Complete && held.Malformed == nil
	c.Record.Fields = make(map[string]Field, len(held.Fields))
	for name, v := range held.Fields {
		c.Record.Fields[name] = Field{Value: v}
	}
	return c
}

func (*kvKind) refusesName(string) string { return "" }
