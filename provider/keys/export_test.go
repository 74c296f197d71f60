package keys

// DocumentID is the ID of the document that has the keys.
var DocumentID = documentID
