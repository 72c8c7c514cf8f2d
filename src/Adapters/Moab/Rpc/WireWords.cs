using System.Text;
using Google.Protobuf;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>Maps the numbers of enums and the bytes of payloads to the words and texts of the API's models, and back.</summary>
internal static class WireWords
{
    private static readonly string[] Fields = ["", "PAYLOAD", "SCHEDULED_AT", "EXPIRES_AT"];
    private static readonly string[] Statuses = ["", "SUCCEEDED", "IN_PROGRESS", "FAILED"];
    private static readonly string[] Units = ["", "SECONDS", "MINUTES", "HOURS"];
    private static readonly string[] States = ["", MoabWords.Enqueued, MoabWords.InProgress, MoabWords.Dead];
    private static readonly string[] Reports = ["", MoabWords.Ok, MoabWords.NotFound, MoabWords.NotInProgress, MoabWords.StaleAttempt];

    private static readonly string[] Restarts =
        ["", MoabWords.Restarted, MoabWords.NotFound, MoabWords.NotDead, MoabWords.DedupeConflict];

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static string Field(int number) => Word(Fields, number);

    public static string Status(int number) => Word(Statuses, number);

    public static string Unit(int number) => Word(Units, number);

    public static string State(int number) => Word(States, number);

    public static int Unit(string? word) => Array.IndexOf(Units, word);

    public static int State(string word) => Array.IndexOf(States, word);

    public static int Report(string word) => Array.IndexOf(Reports, word);

    public static int Restart(string word) => Array.IndexOf(Restarts, word);

    /// <summary>A payload as text or, if it is none, as base64.</summary>
    public static (string? Text, string? Base64) Payload(ByteString bytes)
    {
        try
        {
            return (Utf8.GetString(bytes.Span), null);
        }
        catch (DecoderFallbackException)
        {
            return (null, Convert.ToBase64String(bytes.Span));
        }
    }

    public static ByteString Payload(string text, string? base64) =>
        base64 is null ? ByteString.CopyFromUtf8(text) : ByteString.FromBase64(base64);

    /// <summary>A number without a word is refused like an unknown word.</summary>
    private static string Word(string[] words, int number) => number >= 0 && number < words.Length ? words[number] : $"{number}";
}
