package redis

import (
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// narrow asks for one field of the hashes, whatever else they hold.
func (ps probes) narrow(field string) {
	for _, p := range ps {
		if p.Layout.IsHash() {
			p.field = field
		}
	}
}

// fieldAnswers is how many answers [batch.askField] leads to.
const fieldAnswers = 3

// askField asks about a hash of which one field is needed. Its cost does not grow with the hash.
func (b *batch) askField(p *probe) {
	b.ask("hlen", p.Key)
	b.ask("hexists", p.Key, p.field)
	b.ask("hstrlen", p.Key, p.field)
}

// takeField writes the answers into the probe. A hash without the field is loaded by them.
func (p *probe) takeField(answers []answer) clarity {
	p.State, p.loaded, p.size = layout.Absent, false, 0
	fields, exists, size := &answers[0], answers[1].n > 0, answers[2].n
	switch {
	case isWrongType(fields.err):
		p.State = layout.WrongType
		return isUnclear
	case fields.n == 0:
		p.State = layout.Absent
	case size > layout.MaxValue:
		p.State, p.Type, p.Size, p.loaded = layout.TooLarge, "hash", size, true
	default:
		p.State, p.size, p.loaded = layout.Present, size, !exists
	}
	return isClear
}

// takeText writes a string, or the field of a hash, into the probe. A field may have been removed meanwhile.
func (p *probe) takeText(a *answer) {
	switch {
	case p.field == "":
		p.Text = a.text
	case a.err == nil:
		p.Hash = map[string]string{p.field: a.text}
	}
}
