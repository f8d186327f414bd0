package layout

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
)

// dated are the layouts in which a monitoring date may stand: as the value, or as a field of the hash.
var dated = []Layout{ForkMonitoringSince, OlderMonitoringSince, OldestMonitoringSince, ForkKV, UpstreamKV}

var datedKinds = record.Kinds(0).With(record.KV).With(record.MonitoringSince)

// DateField is the field of the hashes that a request with Dates asks for.
const DateField = record.OlderTimeField

// Places returns the places of monitoring dates in Redis, in the order in which the app looks at them.
func Places() []record.DatePlace {
	places := make([]record.DatePlace, len(dated))
	for i, l := range dated {
		prefix := prefixes[l]
		places[i] = record.DatePlace{Name: "redis:" + prefix[:len(prefix)-1], UserWritable: l.IsHash()}
	}
	return places
}

// dateValues makes one item of what the keys say of a monitoring date, in the order of [Places]. It reports false where none exists.
func dateValues(kind record.Kind, founds []Found) (record.Item, bool) {
	it := record.Item{Kind: kind}
	for place, l := range dated {
		for _, f := range founds {
			if f.Layout == l && f.Exists() && !f.Foreign() {
				it.Dates = append(it.Dates, f.dateValue(kind, place))
			}
		}
	}
	return it, len(it.Dates) > 0
}

func (f Found) dateValue(kind record.Kind, place int) record.DateValue {
	_, id := Classify(f.Key)
	c := record.DateValue{Place: place, Has: true}
	var valid bool
	if c.User, valid = record.ParseUserID(id); !valid {
		c.Name = id
	}
	if reject, ok := f.unusable(kind, c.User); ok {
		c.Reason, c.Detail = reject.Reason, reject.Detail
		if f.State == TooLarge && !f.Layout.IsHash() {
			c.Reason, c.Detail = longText()
		}
		return c
	}
	if !f.Layout.IsHash() {
		c.Value = f.Text
		return c
	}
	var raw string
	if raw, c.Has = f.Hash[DateField]; c.Has {
		c.Value, _, c.Reason, c.Detail = kvValue(f.Layout, DateField, raw)
	}
	return c
}

// Dates are the monitoring dates of a source of records.
type Dates struct {
	source record.Source
}

// DateSource returns the dates of a source that was made with [Request.Dates]. Its parts are read one after the other.
func DateSource(source record.Source) *Dates { return &Dates{source: source} }

// Places returns [Places].
func (*Dates) Places() []record.DatePlace { return Places() }

// Total returns about how many keys there are.
func (d *Dates) Total(ctx context.Context) (int64, error) { return d.source.Total(ctx) }

// Values delivers what the keys say, a page of the source at a time. What follows the parts has no dates, but only once
// it was read it is certain that the source was whole.
func (d *Dates) Values(ctx context.Context, yield func([]record.DateValue) error) error {
	parts, err := d.source.Parts(ctx)
	if err != nil {
		return err
	}
	values := func(p record.Page) error {
		var all []record.DateValue
		for _, it := range p.Items {
			all = append(all, it.Dates...)
		}
		if len(all) == 0 {
			return nil
		}
		return yield(all)
	}
	for _, part := range parts {
		if err := part.Read(ctx, "", values); err != nil {
			return err
		}
	}
	return d.source.Deferred(ctx, values)
}
