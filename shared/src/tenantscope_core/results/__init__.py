"""What an answer is made of: failures, money, periods, cursors."""
