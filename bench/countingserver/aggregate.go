package countingserver

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// aggregate counts documents: all that a $match leaves, or those that share the value of a field. Other pipelines it does
// not know.
func (s *Server) aggregate(r request) (bson.Raw, error) {
	stages, err := r.statements("pipeline")
	if err != nil {
		return nil, err
	}
	c := s.collection(r.database, r.collection)
	var match bson.Raw
	for i, stage := range stages {
		if d, ok := stage.Lookup("$match").DocumentOK(); ok && i == 0 {
			match = d
			continue
		}
		group, ok := stage.Lookup("$group").DocumentOK()
		if !ok {
			break
		}
		by, _ := group.Lookup("_id").StringValueOK()
		field, isField := strings.CutPrefix(by, "$")
		switch {
		case isField && match == nil && onlyRepeated(stages[i+1:]):
			return s.firstReply(r, &cursor{found: c.repeated(field)})
		case !isField && i == len(stages)-1:
			n, err := c.countBy(match)
			if err != nil {
				return nil, err
			}
			var found []bson.Raw
			if n > 0 {
				found = append(found, encode(bson.D{{Key: "_id", Value: group.Lookup("_id")}, {Key: "n", Value: n}}))
			}
			return s.firstReply(r, &cursor{found: found})
		}
		break
	}
	return nil, unknown("a pipeline that does not count documents")
}

// onlyRepeated tells whether the stages after a $group keep the groups of more than one document, up to a limit.
func onlyRepeated(stages []bson.Raw) bool {
	if len(stages) == 0 {
		return false
	}
	least, ok := stages[0].Lookup("$match", "n", "$gt").AsInt64OK()
	return ok && least == 1
}

// repeated returns the values of the field that several documents have.
func (c *collection) repeated(field string) []bson.Raw {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lookupBy(field)
	found := make([]bson.Raw, 0)
	for value, others := range l.more {
		v := c.documents[l.first[value]].Lookup(field)
		found = append(found, encode(bson.D{{Key: "_id", Value: v}, {Key: "n", Value: 1 + len(others)}}))
	}
	return found
}
