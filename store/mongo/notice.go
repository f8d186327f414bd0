package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// Notice is something in the target that a person should know, and that stops nobody.
type Notice struct {
	Collection string
	Note       record.Note
	Count      int64    // of documents, for [record.NumericUserID]
	Users      []string // a few of those that Count counts
	Collation  string   // for [record.Collated]: "en, strength 1"
}

// NumericUsers returns a notice for each of the kinds that has documents whose user_id is a number: the app does not see
// them. It writes nothing.
func (s *Store) NumericUsers(ctx context.Context, kinds record.Kinds) ([]Notice, error) {
	var notices []Notice
	for _, kind := range kinds.List() {
		if !kind.OfUsers() {
			continue
		}
		notice, err := s.numericUsers(ctx, kind)
		if err != nil {
			return nil, s.wrap("look for numeric user ids in "+collectionName(kind), err)
		}
		if notice.Count > 0 {
			notices = append(notices, notice)
		}
	}
	return notices, nil
}

func (s *Store) numericUsers(ctx context.Context, kind record.Kind) (Notice, error) {
	notice := Notice{Collection: collectionName(kind), Note: record.NumericUserID}
	numeric := bson.D{{Key: "user_id", Value: bson.D{{Key: "$type", Value: "number"}}}}
	for doc, err := range s.documents(ctx, kind, numeric, bson.D{{Key: "user_id", Value: 1}}) {
		if err != nil {
			return notice, err
		}
		notice.Count++
		if len(notice.Users) < named {
			_, name, _ := owner(doc)
			notice.Users = append(notice.Users, name)
		}
	}
	return notice, nil
}
