using TaskQueue.Engine.Batches;

namespace TaskQueue.Scheduler.Batches;

/// <summary>
/// Finds what is wrong with an input as its lines come: by OpenAI's rules anything, by Bella's only that there are too many (bella.md 12).
/// </summary>
internal sealed class BatchCheck(bool strict, int maxLines)
{
    private const int MaxErrors = 100;

    private readonly HashSet<string> _customIds = new(StringComparer.Ordinal);
    private readonly List<BatchInputError> _errors = [];
    private string? _model;

    /// <summary>Lines so far.</summary>
    public int Total { get; private set; }

    /// <summary>Those among them that cannot be run.</summary>
    public int Bad { get; private set; }

    /// <summary>What is wrong; some of it, where there is much.</summary>
    public IReadOnlyList<BatchInputError> Errors => _errors;

    /// <summary>Looks at the next line.</summary>
    /// <returns>Whether it makes sense to go on.</returns>
    public bool Add(InputLine line, BatchItem read)
    {
        if (Total == maxLines)
        {
            _errors.Insert(0, new BatchInputError("too_many_tasks", $"the file has more than {maxLines} lines", "input_file_id", null));
            return false;
        }

        Total++;
        Bad += read.Problem is null ? 0 : 1;
        if (strict && _errors.Count < MaxErrors && (read.Problem ?? Compare(read)) is { } wrong)
            _errors.Add(new BatchInputError(wrong.Code, wrong.Message, wrong.Param, line.Number));
        return true;
    }

    /// <summary>There was no other line.</summary>
    public void End()
    {
        if (strict && Total == 0)
            Refuse("empty_file", "the file has no line");
    }

    /// <summary>Something is wrong with the whole file.</summary>
    public void Refuse(string code, string message) => _errors.Add(new BatchInputError(code, message, "input_file_id", null));

    /// <summary>Every line must have an id of its own and the model of the first.</summary>
    private BatchProblem? Compare(BatchItem line)
    {
        if (!_customIds.Add(line.CustomId!))
            return new BatchProblem("duplicate_custom_id", $"custom_id {line.CustomId} was used before", "custom_id");
        if (_customIds.Count == 1)
            _model = line.Model;
        return line.Model == _model ? null
            : new BatchProblem("model_mismatch", $"all lines must name the model of the first, {_model ?? "which is none"}", "body.model");
    }
}
