namespace TaskQueue.Adapters.OpenAI;

/// <summary>Wire format of files and batches: the two are incompatible field by field (bella.md 1.5).</summary>
internal enum Dialect
{
    /// <summary>Milliseconds, <c>""</c> for no value, 202 for a cancel.</summary>
    Bella,

    /// <summary>Seconds, null for no value, 200 for a cancel, as the official SDKs expect.</summary>
    OpenAI,
}
