// The person who uses the client: ../host_test.go plays them, at a browser that
// is signed in.
const visit = async (decision, address) => {
  const response = await fetch(`${process.env.PERSON_URL}/${decision}`, { method: 'POST', body: String(address) });
  if (!response.ok) throw new Error(`the person answered ${response.status}`);
  return response.text();
};

// allow opens an authorization URL, agrees, and returns where the browser is
// sent in the end.
export const allow = async address => new URL(await visit('allow', address));

// deny is the same of somebody who presses Cancel.
export const deny = async address => new URL(await visit('deny', address));

// approve opens the page of a device with its code in it, and agrees.
export const approve = address => visit('approve', address);
