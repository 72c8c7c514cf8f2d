using TaskQueue.Engine.Batches;

namespace TaskQueue.Scheduler.Batches;

/// <summary>Validates an input line by line: strictly by OpenAI's rules; by Bella's rules only the number of lines (bella.md 12).</summary>
internal sealed class BatchCheck(bool strict, int maxLines)
{
    private const int MaxErrors = 100, MaxModel = 256;

    private readonly HashSet<string> _customIds = new(StringComparer.Ordinal);
    private readonly List<BatchInputError> _errors = [];
    private string? _model;

    /// <summary>The model that the first line names, if any.</summary>
    public string? Model { get; private set; }

    /// <summary>Number of lines so far.</summary>
    public int Total { get; private set; }

    /// <summary>Number of invalid lines among them.</summary>
    public int Bad { get; private set; }

    /// <summary>The errors found, up to a limit.</summary>
    public IReadOnlyList<BatchInputError> Errors => _errors;

    /// <summary>Checks the next line.</summary>
    /// <returns>Whether checking should continue.</returns>
    public bool Add(InputLine line, BatchItem read)
    {
        if (Total == maxLines)
        {
            _errors.Insert(0, new BatchInputError("too_many_tasks", $"the file has more than {maxLines} lines", "input_file_id", null));
            return false;
        }

        if (Total++ == 0)
            Model = read.Model is { Length: <= MaxModel } model ? model : null;
        Bad += read.Problem is null ? 0 : 1;
        if (strict && _errors.Count < MaxErrors && (read.Problem ?? Compare(read)) is { } wrong)
            _errors.Add(new BatchInputError(wrong.Code, wrong.Message, wrong.Param, line.Number));
        return true;
    }

    /// <summary>Ends the input.</summary>
    public void End()
    {
        if (strict && Total == 0)
            Refuse("empty_file", "the file has no line");
    }

    /// <summary>Adds an error about the whole file.</summary>
    public void Refuse(string code, string message) => _errors.Add(new BatchInputError(code, message, "input_file_id", null));

    /// <summary>Every line must have a unique id and the model of the first line.</summary>
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
