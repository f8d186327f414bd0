package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// Outline implements [record.Documents]. The server leaves out of the documents what does not
// bear on them, such as all other key-value pairs.
func (d *Documents) Outline(ctx context.Context, c record.Collection, yield func([]record.Document) error) error {
	p := pages[record.Document]{yield: yield}
	for doc, err := range d.stream(ctx, c.String(), query{projection: outlineOf(c)}) {
		if err != nil {
			return d.wrap("read "+c.String(), err)
		}
		found := document(c, doc)
		found.Held = schemaOf(c.Form()).outlined(found.User, doc)
		if err := p.add(found, len(doc)); err != nil {
			return err
		}
	}
	return p.flush()
}

// outlineOf returns the projection on what an outline of the collection's documents has.
func outlineOf(c record.Collection) bson.D {
	projection := bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: 1}}
	for _, path := range schemaOf(c.Form()).about().outline {
		projection = append(projection, bson.E{Key: path, Value: 1})
	}
	return projection
}
