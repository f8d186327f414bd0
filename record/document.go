package record

import (
	"context"
	"errors"
)

// Document is one document of a target as it stood when it was read.
type Document struct {
	// Kind is the one in whose form Held is what the document holds: the kind of the collection, or [Collection.Form].
	Kind       Kind
	Collection Collection

	// Numeric tells that what stands as user id is a number, so that the app does not see the document.
	Numeric bool

	// Named tells that Name is text by which the target identifies documents that are no user's.
	Named bool

	// Repeated tells that the whole document holds two fields of one name, of which readers see one or the other.
	Repeated bool

	// User is whose document it is: by text, or by a number that gives the id exactly (a double beyond 2^53 does not). It
	// is zero where the document is nobody's, or a name's. Name is what stands in place of a text that is a user id.
	User UserID
	Name Name

	// ID is the store's own form of what identifies the document in its collection, any bytes.
	ID string

	// Held is what the document holds. Found is true. Where the document was only outlined, that is:
	// Times for [MonitoringCollection], [UsersCollection] ("since" and [OlderTimeField] of both) and [KVCollection] (the
	// pair [OlderTimeField], where the document has it); APIKey and Malformed for [APIKeysCollection]; nothing for
	// [LastSeenCollection].
	Held Held

	// Raw is the whole document in the store's own encoding; nil where it was not read whole.
	Raw []byte
}

// Identity returns the identity of the record for which the app takes the document. It is nobody's where that is none.
func (d Document) Identity() Identity {
	switch {
	case d.Named:
		return Identity{Name: d.Name}
	case d.Numeric:
		return Identity{}
	}
	return Identity{User: d.User}
}

// Documents reads the documents of a target one by one, and changes single ones.
type Documents interface {
	// Outline delivers every document of the collection in no order, some at a time, without Raw. One that is changed
	// meanwhile may come twice. It returns yield's error as it is. A collection that does not exist has no documents.
	Outline(ctx context.Context, c Collection, yield func([]Document) error) error

	// Whole returns those of the documents with the IDs that are there, whole, in no order. Held is all that the
	// document holds, in the forms that [Merge] takes; for [KVCollection] with Times as an outline has them. It fails with
	// [ErrTooMuch] where the documents are of more than most bytes.
	Whole(ctx context.Context, c Collection, ids []string, most int) ([]Document, error)

	// OfUsers returns the kind's documents of the users, as Whole does: those whose user id is text, each of them where a
	// user has several.
	OfUsers(ctx context.Context, kind Kind, users []UserID, most int) ([]Document, error)

	// Contents returns about how many documents each collection holds.
	Contents(ctx context.Context) (map[Collection]int64, error)

	// Joined returns the step that makes one document of a user's, as j says. It writes nothing.
	Joined(j Join) Step

	// Apply carries out the steps, each of which is for another document, in no order, and returns a result for each. A
	// step is carried out where the document still is exactly Before. An error means that the fate of all is unknown;
	// applying them again is safe. At most [MaxSteps] at a time.
	Apply(ctx context.Context, steps []Step) ([]StepResult, error)

	// Limits returns what the target can hold.
	Limits() Limits
}

// ErrTooMuch tells that documents are too large to be held together.
var ErrTooMuch = errors.New("more bytes of documents than may be held at a time")

// MaxSteps is how many steps can be applied at a time, and how many documents can be asked for.
const MaxSteps = 1000

// Join says how several documents of a user, or one, or none, become one: the first stays, with its identity, and gets
// those fields of the others that it lacks, in their order. Its user_id becomes the user's, as text. Fields keep their
// place and their exact encoding where they are not changed.
type Join struct {
	Collection Collection
	User       UserID
	Documents  []Document // whole

	// Decision is what becomes of the first document's content, as [Merge] decides it: Time for [MonitoringCollection]
	// and [LastSeenCollection] (where Write is true; an integer that has this value already stays as it is, int32 or
	// int64), Set for [KVCollection], APIKey for [APIKeysCollection] (where not empty). Where it changes pairs or a key,
	// the mark of what lanyardctl wrote goes.
	Decision Decision

	// OtherID tells that without Documents the new document must not have the identity that lanyardctl otherwise gives:
	// another document has it.
	OtherID bool
}

// Step is a change of one document: from Before to After, in the store's own encoding. Without Before the document is
// inserted, without After it is deleted.
type Step struct {
	Collection    Collection
	ID            string
	Before, After []byte
}

// Undo returns the step that takes s back.
func (s Step) Undo() Step { return Step{s.Collection, s.ID, s.After, s.Before} }

// StepResult is what became of a step.
type StepResult uint8

// The results.
const (
	StepDone      StepResult = iota // the document is After now
	StepNoop                        // it was After before
	StepModified                    // it is neither Before nor After: somebody changed it
	StepDuplicate                   // the document would be a second one with an identity, or with a value of a unique index
	StepRefused                     // the target refuses it for another reason
)
