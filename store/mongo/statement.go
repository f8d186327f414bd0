package mongo

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// guardBytes bounds what one statement may hold of a large value, before and after together: the server takes no more
// than 16 MiB and a little.
const guardBytes = 15 << 20

// statement returns the update that carries out a change. It writes whole values of top-level fields, whose names hold
// no dot, and is guarded by the values that were read.
func (w *writing) statement(c change) mongo.WriteModel {
	filter := w.dialect.guard(w.identity(collectionName(w.kind), c.found.own), c.patch.guard)
	return w.dialect.update(w.Store, filter, c.found.own, c.patch.set, c.patch.unset)
}

// stillIs returns the condition that the document's field has the value that was read.
func stillIs(doc bson.Raw, name string) bson.E {
	v := lookup(doc, name)
	switch v.Type {
	case 0:
		return bson.E{Key: name, Value: bson.D{{Key: "$exists", Value: false}}}
	case bson.TypeUndefined: // of which servers compare the type alone; a list of it has the type, too
		return bson.E{Key: name, Value: bson.D{{Key: "$type", Value: int32(bson.TypeUndefined)}, {Key: "$not", Value: bson.D{{Key: "$type", Value: "array"}}}}}
	}
	return bson.E{Key: name, Value: bson.D{{Key: "$eq", Value: v}}}
}
