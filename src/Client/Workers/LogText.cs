using System.Text;

namespace TaskQueue.Client;

/// <summary>Limits of texts that a worker sends besides its outcome; the server refuses or drops longer ones.</summary>
internal static class LogText
{
    public const int MaxErrorType = 200;

    public const int MaxStackBytes = 16 * 1024;

    /// <summary>Lines in one report or heartbeat of an attempt.</summary>
    public const int MaxLines = 100;

    /// <summary>UTF-8 bytes of messages in one report or heartbeat.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>UTF-8 bytes of a message.</summary>
    public const int MaxMessageBytes = 8 * 1024;

    /// <summary>The beginning of a text, without half of a surrogate pair.</summary>
    public static string Cut(string text, int length) =>
        text.Length <= length ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    /// <summary>The beginning of a text whose UTF-8 form fits.</summary>
    public static string CutBytes(string text, int bytes)
    {
        text = Cut(text, bytes);
        while (Encoding.UTF8.GetByteCount(text) > bytes)
            text = Cut(text, text.Length * 3 / 4);
        return text;
    }
}
