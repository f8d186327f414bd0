package dynamo

import (
	"context"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// A copy of an item has to be equal to it, so that an item carries no mark. Instead a row of lanyardctl's own table is named
// after the digest of what lanyardctl writes, which also depends on the table's name and on the item's key. It is written before the
// item is: wherever a process is killed, an item that is lanyardctl's own is known as that. An item that somebody changed has another
// digest.
//
// A row that was read is removed once its item has become another. It is removed by the one who wrote it last, as its attribute
// "by" tells: nobody removes what another process writes meanwhile.

func digestID(digest string) string { return "digest/" + digest }

// known returns who wrote the digests that are there.
func (o *ownTable) known(ctx context.Context, digests []string) (by map[string]string, err error) {
	ids := make([]string, len(digests))
	for i, digest := range digests {
		ids[i] = digestID(digest)
	}
	rows, err := o.rows(ctx, ids)
	if err != nil {
		return nil, err
	}
	by = make(map[string]string, len(rows))
	for _, digest := range digests {
		if row, ok := rows[digestID(digest)]; ok {
			by[digest] = text(row, ownBy)
		}
	}
	return by, nil
}

// remember writes digests.
func (o *ownTable) remember(ctx context.Context, digests []string, by string) error {
	if len(digests) == 0 {
		return nil
	}
	if err := o.ensure(ctx); err != nil {
		return err
	}
	rows := make([]item, len(digests))
	for i, digest := range digests {
		rows[i] = item{ownID: asText(digestID(digest)), ownBy: asText(by)}
	}
	return o.putItems(ctx, OwnTable, rows)
}

// forget removes a digest, unless somebody wrote it again.
func (o *ownTable) forget(ctx context.Context, digest, by string) error {
	e := newExpression()
	e.still(ownBy, asText(by))
	return o.remove(ctx, digestID(digest), e)
}

// digestOf returns the digest of what an item holds.
func digestOf(r *record.Record, fields map[string]record.Field) string {
	return record.Record{Kind: r.Kind, Name: r.Name, Fields: fields}.Digest().String()
}

// mark tells of the documents which of them still say what lanyardctl wrote.
func (s *Store) mark(ctx context.Context, documents []record.Document) error {
	digests := make([]string, len(documents))
	for i, d := range documents {
		digests[i] = d.Content(time.Time{}).Record.Digest().String()
	}
	own := &ownTable{Store: s}
	by, err := own.known(ctx, digests)
	if err != nil {
		return err
	}
	for i, digest := range digests {
		_, documents[i].Held.Unmodified = by[digest]
	}
	return nil
}
