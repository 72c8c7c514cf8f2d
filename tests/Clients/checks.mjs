// What the scripts of one client share: each thing that the client does is a check, which prints `ok NAME`.
import assert from 'node:assert/strict';

export { assert };

/** Runs one check; the others run even if it fails. */
export const check = async (name, run) => {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (fault) {
    console.log(`failed ${name}: ${fault?.stack ?? fault}`);
    process.exitCode = 1;
  }
};

/** The fault with which something ends; it must. */
export const faultOf = async (run) => {
  try {
    await run();
  } catch (fault) {
    return fault;
  }
  throw new Error('it did not fail');
};

export const collect = async (items) => {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
};

/** Asks until the answer is as wanted; the test that runs the script ends it if that takes too long. */
export const until = async (ask, isWanted) => {
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};
