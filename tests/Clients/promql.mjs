// Reads a JSON list of PromQL expressions from standard input; prints for each the metrics that it selects, with the labels of
// their matchers, and the labels that it groups by: {metrics: [{name, labels: [[label, operator, value]]}], grouping: [label]}.
import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';

const read = (expression) => {
  const result = { metrics: [], grouping: [] };
  const text = (node) => expression.slice(node.from, node.to);
  parser.parse(expression).iterate({
    enter: ({ name, node, type }) => {
      if (type.isError) throw new Error(`not PromQL at ${node.from}: ${expression}`);
      if (name === 'VectorSelector') {
        const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
        result.metrics.push({
          name: text(node.getChild('Identifier')),
          labels: matchers.map((m) => [text(m.getChild('LabelName')), text(m.getChild('MatchOp')), JSON.parse(text(m.getChild('StringLiteral')))]),
        });
      } else if (name === 'GroupingLabels') {
        result.grouping.push(...node.getChildren('LabelName').map(text));
      }
    },
  });
  return result;
};

console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(read)));
