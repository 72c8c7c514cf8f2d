using System.Text.Json;

namespace TaskQueue.Engine.Batches;

/// <summary>Tokens that the answers to the items of a batch say they used, summed.</summary>
public sealed class BatchUsage
{
    /// <summary>Tokens of the requests.</summary>
    public long InputTokens { get; set; }

    /// <summary>Which of them were special.</summary>
    public InputTokenDetails InputTokensDetails { get; set; } = new();

    /// <summary>Tokens of the answers.</summary>
    public long OutputTokens { get; set; }

    /// <summary>Which of them were special.</summary>
    public OutputTokenDetails OutputTokensDetails { get; set; } = new();

    /// <summary>Both.</summary>
    public long TotalTokens { get; set; }

    /// <summary>JSON text; null if no answer told any.</summary>
    public string? ToText() => TotalTokens + InputTokens + OutputTokens == 0 ? null
        : JsonSerializer.Serialize(this, BatchJson.Instance.BatchUsage);

    /// <summary>Reads what <see cref="ToText"/> returns.</summary>
    public static BatchUsage? Of(string? text) =>
        text is null ? null : JsonSerializer.Deserialize(text, BatchJson.Instance.BatchUsage);

    /// <summary>Adds the usage of an answer, in the names of chat completions and embeddings or those of responses.</summary>
    /// <param name="result">The result of an item: its <c>body</c> is the answer.</param>
    public void Add(JsonElement result)
    {
        if (Member(result, "body") is { } body)
            AddAnswer(body);
    }

    /// <summary>Same for the answer alone.</summary>
    public void AddAnswer(JsonElement answer)
    {
        if (Member(answer, "usage") is not { } usage)
            return;
        var (input, output) = (Count(usage, "prompt_tokens", "input_tokens"), Count(usage, "completion_tokens", "output_tokens"));
        InputTokens += input;
        OutputTokens += output;
        TotalTokens += Count(usage, "total_tokens", "total_tokens") is > 0 and var total ? total : input + output;
        if ((Member(usage, "prompt_tokens_details") ?? Member(usage, "input_tokens_details")) is { } inputs)
            InputTokensDetails.CachedTokens += Count(inputs, "cached_tokens", "cached_tokens");
        if ((Member(usage, "completion_tokens_details") ?? Member(usage, "output_tokens_details")) is { } outputs)
            OutputTokensDetails.ReasoningTokens += Count(outputs, "reasoning_tokens", "reasoning_tokens");
    }

    private static JsonElement? Member(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.Object
            ? member : null;

    /// <summary>Numbers that no server reports are no usage.</summary>
    private static long Count(JsonElement value, string name, string other) =>
        (value.TryGetProperty(name, out var number) || value.TryGetProperty(other, out number)) && number.ValueKind == JsonValueKind.Number
            && number.TryGetInt64(out var count) && count is > 0 and < int.MaxValue ? count : 0;
}

/// <summary>Special tokens of requests.</summary>
public sealed class InputTokenDetails
{
    /// <summary>Tokens that were cached.</summary>
    public long CachedTokens { get; set; }
}

/// <summary>Special tokens of answers.</summary>
public sealed class OutputTokenDetails
{
    /// <summary>Tokens of the model's reasoning.</summary>
    public long ReasoningTokens { get; set; }
}
