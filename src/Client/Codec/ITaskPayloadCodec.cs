namespace TaskQueue.Client;

/// <summary>What a text of a task is.</summary>
public enum TaskText
{
    /// <summary><see cref="NewTask.Data"/>.</summary>
    Data,

    /// <summary>The result of a task.</summary>
    Result,

    /// <summary>What a processor reports while it works.</summary>
    Progress,
}

/// <summary>
/// Encodes data, results and progress before they leave the program, and decodes them where they come back, so that the server and
/// the broker store and show the encoded form only. Producers, workers and readers need the same codec. Safe for many threads.
/// </summary>
/// <remarks>
/// What <see cref="Encode"/> returns must be JSON. Return an object whose only member is <c>$enc</c>, as <see cref="AesGcmPayloadCodec"/>
/// does: a program without the codec then fails with a clear message, and does not take the encoded form for the data.
/// </remarks>
public interface ITaskPayloadCodec
{
    /// <summary>Encodes JSON text.</summary>
    /// <param name="text">What it is.</param>
    /// <param name="json">JSON text.</param>
    /// <returns>JSON text.</returns>
    string Encode(TaskText text, string json);

    /// <summary>Decodes what <see cref="Encode"/> returned. Also gets JSON text that was never encoded.</summary>
    /// <param name="text">What it is.</param>
    /// <param name="json">JSON text as the server has it; white space may differ.</param>
    /// <returns>JSON text.</returns>
    /// <exception cref="TaskPayloadException">It cannot be decoded.</exception>
    string Decode(TaskText text, string json);
}

/// <summary>Data, a result or progress cannot be decoded. The message names the key and tells nothing of the content.</summary>
/// <param name="message">Why.</param>
/// <param name="inner">What else is known.</param>
public sealed class TaskPayloadException(string message, Exception? inner = null) : Exception(message, inner);
