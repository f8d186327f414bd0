package layout

import (
	"errors"

	"github.com/lanyardctl/lanyardctl/record"
)

// Kept returns the record that a superseded value is of, with this value alone. The error says why the value cannot be
// written to a target.
func Kept(s record.Superseded) (record.Record, error) {
	r := record.Record{Kind: s.Kind, User: s.User, Origin: record.Origin{Key: s.Key, Raw: s.Value.Data}}
	l, id := Classify(s.Key)
	switch {
	case s.Kind.Ordered():
		return r, errors.New("the next migration would replace it again: of two values of this kind it keeps the better one")
	case s.User == 0:
		return r, errors.New("no user has it")
	case !s.Value.Present || s.Value.Form == record.ShownForm:
		return r, errors.New("its type has no form in the file")
	case s.Kind == record.APIKeys:
		r.APIKey = s.Value.Data
		if l == APIKey {
			r.APIKey = id
		}
		if r.APIKey == "" || s.Value.Form == record.JSONForm {
			return r, errors.New("it is no API key")
		}
		return r, nil
	case !s.HasField || s.Field == "" && s.Value.Form != record.SourceForm:
		return r, errors.New("it is no single key-value pair")
	}
	v, err := keptValue(l, s.Field, s.Value)
	r.Fields = map[string]record.Field{s.Field: {Value: v, Origin: r.Origin}}
	return r, err
}

func keptValue(l Layout, name string, value record.Bytes) (record.Value, error) {
	switch value.Form {
	case record.TextForm:
		return value.Data, nil
	case record.JSONForm:
		v, fault := parseJSON(value.Data)
		if fault != 0 {
			return nil, errors.New("its JSON cannot be read")
		}
		return v, nil
	}
	if l != ForkKV && l != UpstreamKV {
		return nil, errors.New("it comes from no key of key-value pairs, or was kept by a version that did not say in what form")
	}
	v, _, reason, _ := kvValue(l, name, value.Data)
	if reason != "" {
		return nil, errors.New("it cannot be read: " + string(reason))
	}
	return v, nil
}
