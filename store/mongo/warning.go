package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// Warning is something in the target that a person should know, and that stops nobody.
type Warning struct {
	Collection string
	Note       record.Note
	Count      int64    // of documents, for [record.NumericUserID]
	Users      []string // a few of those that Count counts
	Collation  string   // for [record.Collated]: "en, strength 1"
}

// NumericUsers returns a warning for each of the kinds that has documents whose user_id is a number: the app does not see
// them. It writes nothing.
func (s *Store) NumericUsers(ctx context.Context, kinds record.Kinds) ([]Warning, error) {
	var warnings []Warning
	for _, kind := range kinds.List() {
		if !ofUsers(kind) {
			continue
		}
		warning, err := s.numericUsers(ctx, kind)
		if err != nil {
			return nil, s.wrap("look for numeric user ids in "+collectionName(kind), err)
		}
		if warning.Count > 0 {
			warnings = append(warnings, warning)
		}
	}
	return warnings, nil
}

func (s *Store) numericUsers(ctx context.Context, kind record.Kind) (Warning, error) {
	warning := Warning{Collection: collectionName(kind), Note: record.NumericUserID}
	numeric := bson.D{{Key: "user_id", Value: bson.D{{Key: "$type", Value: "number"}}}}
	for doc, err := range s.documents(ctx, kind, numeric, bson.D{{Key: "user_id", Value: 1}}) {
		if err != nil {
			return warning, err
		}
		warning.Count++
		if len(warning.Users) < maxNamed {
			_, name, _ := owner(doc)
			warning.Users = append(warning.Users, name)
		}
	}
	return warning, nil
}
