// Asks a ValidatingAdmissionPolicy about requests, as the API server would.
// Reads {policy, requests: [{request, object, oldObject}]} from standard input; prints for each request why it is denied: a list
// of messages, empty where it is let through, or null where the policy is not about it.
import { readFileSync } from 'node:fs';
import { evaluate } from '@marcbachmann/cel-js';

const { policy, requests } = JSON.parse(readFileSync(0, 'utf8'));
const { matchConditions, variables, validations } = policy.spec;

const ask = (given) => {
  const context = { object: null, oldObject: null, ...given, variables: {} };
  if (!matchConditions.every((m) => evaluate(m.expression, context))) return null;
  for (const { name, expression } of variables) context.variables[name] = evaluate(expression, context);
  return validations.filter((v) => !evaluate(v.expression, context)).map((v) => v.message);
};

console.log(JSON.stringify(requests.map(ask)));
