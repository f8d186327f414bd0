package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

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

// fieldLook is what is asked about a hash of which one field is needed. Its cost does not grow with the hash.
type fieldLook struct {
	fields, bytes *goredis.IntCmd
	exists        *goredis.BoolCmd
}

func askField(ctx context.Context, pipe goredis.Pipeliner, p *probe) fieldLook {
	return fieldLook{
		fields: pipe.HLen(ctx, p.Key),
		exists: pipe.HExists(ctx, p.Key, p.field),
		bytes:  pipe.HStrLen(ctx, p.Key, p.field),
	}
}

// take writes the answers into the probe. A hash without the field is loaded by them.
func (l fieldLook) take(p *probe) clarity {
	switch size := l.bytes.Val(); {
	case isWrongType(l.fields.Err()):
		p.State = layout.WrongType
		return isUnclear
	case l.fields.Val() == 0:
		p.State = layout.Absent
	case size > layout.MaxValue:
		p.State, p.Type, p.Size, p.loaded = layout.TooLarge, "hash", size, true
	default:
		p.State, p.size, p.loaded = layout.Present, size, !l.exists.Val()
	}
	return isClear
}

// takeText writes a string, or the field of a hash, into the probe. A field may have been removed meanwhile.
func (p *probe) takeText(text *goredis.StringCmd) {
	switch {
	case p.field == "":
		p.Text = text.Val()
	case text.Err() == nil:
		p.Hash = map[string]string{p.field: text.Val()}
	}
}
