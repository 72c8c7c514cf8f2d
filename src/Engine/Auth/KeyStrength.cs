namespace TaskQueue.Engine.Auth;

/// <summary>Checks that a key is long enough not to be guessed: an upper bound of the entropy of a random text over its alphabet.</summary>
public static class KeyStrength
{
    private const double MinBits = 128;
    private const int MinDistinct = 8;

    /// <summary>The rule and how to satisfy it, for error messages.</summary>
    public const string Rule = "it must hold at least 128 bits, such as 22 random letters and digits or 32 hexadecimal digits; 'taskqueue "
        + "hash-key' makes one";

    /// <summary>Whether the key could be a random text of 128 bits.</summary>
    public static bool IsEnough(string key) => key.Distinct().Count() >= MinDistinct && key.Length * Math.Log2(Alphabet(key)) >= MinBits;

    private static int Alphabet(string key) =>
        key.All(char.IsAsciiDigit) ? 10
        : key.All(char.IsAsciiHexDigitLower) || key.All(char.IsAsciiHexDigitUpper) ? 16
        : (key.Any(char.IsAsciiDigit) ? 10 : 0) + (key.Any(char.IsAsciiLetterLower) ? 26 : 0) + (key.Any(char.IsAsciiLetterUpper) ? 26 : 0)
            + (key.All(char.IsAsciiLetterOrDigit) ? 0 : 3);
}
