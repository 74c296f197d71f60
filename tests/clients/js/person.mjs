// The user of the client: ../host_test.go acts as one, at a browser that is
// signed in.
const visit = async (decision, address) => {
  const response = await fetch(`${process.env.PERSON_URL}/${decision}`, { method: 'POST', body: String(address) });
  if (!response.ok) throw new Error(`the person answered ${response.status}`);
  return response.text();
};

// allow opens an authorization URL, agrees, and returns the final URL of the
// browser.
export const allow = async address => new URL(await visit('allow', address));

// deny does the same, but presses Cancel.
export const deny = async address => new URL(await visit('deny', address));

// approve opens the page of a device with its code, and agrees.
export const approve = address => visit('approve', address);
